"""The test scores of a run beside those of the champion and of the baselines: one table for the terminal and Prefect's page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_core.artifacts import Paths

if TYPE_CHECKING:
    from seq2seq_core.registry.receipts import Receipt

METRIC_HEAD, MODEL_HEAD, BASELINE_HEAD, NAME_HEAD = "test metric", "this model", "best baseline", ""
GAP = "  "


@dataclass(frozen=True)
class ScoreRow:
    """One metric on the test set.

    Attributes:
        metric: its name.
        model: the score of this run's model.
        champion: the score of the champion that the model was compared with; None where it is unknown.
        baseline: the best score of a baseline; None where no baseline has the metric.
        baseline_name: the baseline of that score.
    """

    metric: str
    model: float
    champion: float | None = None
    baseline: float | None = None
    baseline_name: str = ""


def compare_scores(paths: Paths, receipt: Receipt | None) -> tuple[ScoreRow, ...]:
    """The rows of the table, in the order of ``evaluate.metrics``; none where there is no evaluation.

    Args:
        paths: the workspace; reads ``reports/metrics.json`` and ``reports/evaluation/scores.json``.
        receipt: has the champion's scores; None where nothing was registered.
    """
    from seq2seq_core.evaluation.error_terms import terms_of

    test, figures = _read_json(paths.metrics).get("test"), _read_json(paths.evaluation_scores)
    baselines = figures.get("baselines")
    champion = {**receipt.champion_scores} if receipt else {}
    if receipt and receipt.champion_score is not None:
        champion[receipt.metric] = receipt.champion_score
    rows = []
    for metric, value in _numbers(test):
        baseline = _best_baseline(metric, baselines if isinstance(baselines, dict) else {})
        rows.append(ScoreRow(metric, value, champion.get(metric), *baseline))
    terms = terms_of(figures)
    if terms is not None:
        rates = terms.rates(champion)
        others = {name: terms.rates(dict(_numbers(own))) for name, own in (baselines or {}).items()}
        for name, value in terms.rates(dict(_numbers(test))).items():
            least = min(((own[name], other) for other, own in others.items() if name in own), default=(None, ""))
            rows.append(ScoreRow(name.replace("_", " "), value, rates.get(name), *least))
    return tuple(rows)


def read_metrics(paths: Paths) -> dict[str, float]:
    """The numbers of ``reports/metrics.json``, flat (``test.exact_match``); empty where it is missing or no JSON."""
    return dict(_flatten(_read_json(paths.metrics), ""))


def to_cells(rows: Sequence[ScoreRow], champion_version: str | None) -> list[list[str]]:
    """The table as texts, its head first; columns without any score are left out.

    Args:
        rows: at least one.
        champion_version: the version that the model was compared with.
    """
    head = [METRIC_HEAD, MODEL_HEAD, f"champion v{champion_version}", BASELINE_HEAD, NAME_HEAD]
    body = [
        [row.metric, *map(_format, (row.model, row.champion, row.baseline)), row.baseline_name.replace("_", " ")] for row in rows
    ]
    kept = [column for column in range(len(head)) if any(line[column] for line in body)]
    return [[line[column] for column in kept] for line in [head, *body]]


def to_lines(cells: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table for a terminal: names to the left, figures to the right.

    Args:
        cells: from :func:`to_cells`.
    """
    columns = list(zip(*cells, strict=True))
    padded = [[_pad(text, max(map(len, column)), is_text(column[0])) for text in column] for column in columns]
    return [GAP + GAP.join(line).rstrip() for line in zip(*padded, strict=True)]


def is_text(head: str) -> bool:
    """Whether a column of :func:`to_cells` has names, not figures."""
    return head in (METRIC_HEAD, NAME_HEAD)


def _pad(text: str, width: int, is_name: bool) -> str:
    return text.ljust(width) if is_name else text.rjust(width)


def _format(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _best_baseline(metric: str, baselines: Mapping[str, Any]) -> tuple[float | None, str]:
    """The best score of a baseline and its name; the first of equals."""
    from seq2seq_core.config.metric_names import list_metrics
    from seq2seq_core.evaluation.scores import is_higher_better

    found = [(dict(_numbers(scores)).get(metric), name) for name, scores in baselines.items()]
    known = [(value, name) for value, name in found if value is not None]
    if not known or metric not in list_metrics():
        return None, ""
    direction = 1.0 if is_higher_better(metric) else -1.0
    return max(known, key=lambda one: one[0] * direction)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _numbers(values: Any) -> Iterator[tuple[str, float]]:
    """The numbers directly in a mapping, by name."""
    return ((name, value) for name, value in _flatten(values, "") if "." not in name)


def _flatten(values: Any, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _flatten(value, f"{name}.{key}" if name else str(key))
    elif isinstance(values, int | float) and not isinstance(values, bool) and math.isfinite(values):
        yield name, float(values)
