"""The gain of training by reward after likelihood, and whether it is significant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.measured.figures import Comparison, Figure, compare_bleu, compare_chrf, compare_means, exact, symbol_edits
from benchmarks.measured.row import SIGNIFICANT, Judgement, Outcomes, Row
from benchmarks.measured.systems import Outcome, System
from seq2seq_core.training.objectives.reward import sentence_rewards

Compare = Callable[[Outcome, Outcome], Comparison]
"""Compares a metric of two outcomes on the same test set, by the paired bootstrap; a higher value is better."""


@dataclass(frozen=True)
class Metrics:
    """The metrics to compare before and after.

    Attributes:
        rewarded: the metric that was the reward.
        others: other metrics, by name.
    """

    rewarded: Compare
    others: Mapping[str, Compare]


def _compare_exact(before: Outcome, after: Outcome) -> Comparison:
    """Compares the share of correct names, in percent."""
    right = ([100.0 * one for one in exact(outcome.hypotheses, outcome.references)] for outcome in (before, after))
    return compare_means(*right)


def _compare_letters(before: Outcome, after: Outcome) -> Comparison:
    """Compares the correct letters of a name: 1 minus its symbol error rate, in percent."""
    edits = [symbol_edits(outcome.hypotheses, outcome.references) for outcome in (before, after)]
    return compare_means(*(list(100 * (1 - number / np.maximum(length, 1))) for number, length in edits))


def _compare_sentences(before: Outcome, after: Outcome) -> Comparison:
    """Compares the mean sentence BLEU (add-one smoothing), in percent."""
    bleus = (
        [100 * reward for reward in sentence_rewards("bleu", list(zip(one.hypotheses, one.references, strict=True)))]
        for one in (before, after)
    )
    return compare_means(*bleus)


def _compare_corpus_bleu(before: Outcome, after: Outcome) -> Comparison:
    return compare_bleu(before.hypotheses, after.hypotheses, before.references, "none")


def _compare_corpus_chrf(before: Outcome, after: Outcome) -> Comparison:
    return compare_chrf(before.hypotheses, after.hypotheses, before.references)


OF_NAMES = Metrics(_compare_letters, {"exact match": _compare_exact})
OF_TRANSLATIONS = Metrics(_compare_sentences, {"BLEU": _compare_corpus_bleu, "chrF": _compare_corpus_chrf})


def continue_training(system: System, phase: Mapping[str, Any]) -> tuple[System, System]:
    """The system with a further phase by reward, and with one by likelihood of the same settings.

    Args:
        system: a system with a single phase by likelihood.
        phase: the phase by reward, as in ``train.phases``.
    """
    by_likelihood = {name: value for name, value in phase.items() if name != "reinforcement"} | {"objective": "likelihood"}
    phases = {"rewarded": dict(phase), "continued": by_likelihood}
    rewarded, continued = (
        replace(
            system, name=f"{system.name}-{name}", nbest=1, workspace=system.workspace or system.name,
            changes={**system.changes, "train.phases": [{"objective": "likelihood"}, one]},
        )
        for name, one in phases.items()
    )  # fmt: skip
    return rewarded, continued


def gain_row(name: str, title: str, systems: Sequence[System], unit: str, metrics: Metrics) -> Row:
    """A row about a gain. Its bar: the rewarded metric rises significantly, and no other metric falls significantly.

    Args:
        name: see :class:`~benchmarks.measured.row.Row`.
        title: see :class:`~benchmarks.measured.row.Row`.
        systems: before, after, and after the same number of updates by likelihood.
        unit: the unit of the rewarded metric.
        metrics: the metrics to compare.
    """

    def judge(outcomes: Outcomes) -> Judgement:
        before, after, continued = (outcomes[system.name] for system in systems)
        rewarded = metrics.rewarded(before, after)
        others = {key: compare(before, after) for key, compare in metrics.others.items()}
        comparisons = {
            "rewarded": rewarded,
            **others,
            "rewarded, after as many updates by likelihood instead": metrics.rewarded(before, continued),
            "rewarded, beside as many updates by likelihood": metrics.rewarded(continued, after),
        }
        details = [f"{key} {one.difference:+.3f} (p = {one.p_value:.4f})" for key, one in comparisons.items()]
        assert rewarded.low is not None
        assert rewarded.high is not None
        has_loss = any(_is_significant(other) and other.difference < 0 for other in others.values())
        is_met = _is_significant(rewarded) and rewarded.difference > 0 and not has_loss
        return Judgement(Figure(rewarded.difference, rewarded.low, rewarded.high), is_met, details)

    return Row(name, title, systems, unit, "–", "p < 0.05, no other metric falls", judge)


def _is_significant(comparison: Comparison) -> bool:
    return comparison.p_value < SIGNIFICANT
