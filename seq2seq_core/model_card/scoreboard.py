"""The scores of several systems on the same rows, with intervals from the gate's bootstrap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from seq2seq_core.config.metric_names import is_slow
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.gate.bootstrap import intervals
from seq2seq_core.gate.scored_rows import ScoredRows, score_rows
from seq2seq_core.model_card.facts import Figure

RESAMPLES, SEED = 1000, 1


def make_scoreboard(
    systems: Mapping[str, Sequence[str]],
    references: Sequence[str],
    metrics: Sequence[str],
    options: ScoringOptions,
    known: Mapping[str, Mapping[str, float]],
) -> dict[str, dict[str, Figure]]:
    """The figures of each system, by metric.

    Args:
        systems: the outputs of each, by name.
        references: one for each row.
        metrics: their names.
        options: settings that metrics read.
        known: scores that were computed before, by system and metric; shown without an interval where the metric is slow or is no
            sum of rows.
    """
    board: dict[str, dict[str, Figure]] = {name: {} for name in systems}
    for metric in metrics:
        found = {} if is_slow(metric) else _with_intervals(systems, references, metric, options)
        for name in systems:
            if name in found:
                board[name][metric] = found[name]
            elif metric in known.get(name, {}):
                board[name][metric] = Figure(value=known[name][metric])
    return board


def _with_intervals(
    systems: Mapping[str, Sequence[str]], references: Sequence[str], metric: str, options: ScoringOptions
) -> dict[str, Figure]:
    try:
        rows: list[ScoredRows] = [score_rows(metric, texts, references, options) for texts in systems.values()]
    except (ValueError, UserError):  # the score of a whole corpus alone, or a package that is missing here
        return {}
    found = intervals(rows, RESAMPLES, SEED)
    return {
        name: Figure(value=one.value, low=one.low, high=one.high)
        for name, one in zip(systems, found, strict=True)
        if all(map(math.isfinite, (one.value, one.low, one.high)))
    }
