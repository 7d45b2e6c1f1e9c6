"""The workspace's evaluation, which is used only if it is one of the model, the test set and the metric's settings of now."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.served_bundle import find_served_bundle
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import MissingInput, UserError
from seq2seq_core.evaluation.report import PREDICTIONS_FILE
from seq2seq_core.evaluation.scored import Scored, metric_settings
from seq2seq_core.evaluation.scores import find_metric, score
from seq2seq_core.evaluation.scoring_options import scoring_options
from seq2seq_core.registry.outputs import TestRows, keep_outputs, read_rows
from seq2seq_core.tokenization.manifest import file_digest

SCORE_TOLERANCE = 1e-4
"""Largest difference, as a share of the metric's scale, of a stated score from that of the stored hypotheses; files are rounded."""
_AGAIN = "`s2s evaluate` (or `dvc repro evaluate`) scores the present one"


@dataclass(frozen=True)
class Evaluated:
    """The workspace's evaluation, checked against what is there now.

    Attributes:
        scored: what was scored.
        scores: the scores on the test set, by metric.
        rows: the rows that were scored.
        hypotheses: one for each row.
    """

    scored: Scored
    scores: dict[str, float]
    rows: TestRows
    hypotheses: list[str]


def read_evaluated(settings: Settings, paths: Paths) -> Evaluated:
    """The evaluation of the served bundle, if it is one of this bundle, this test set and these settings of the metrics.

    Args:
        settings: ``register.metric``, and the section ``evaluate``.
        paths: the workspace; reads ``models/served``, ``reports/metrics.json``, ``reports/evaluation`` and the prepared test set.

    Raises:
        MissingInput: a file is missing.
        UserError: the evaluation is of something else, or a score is none.
        BundleError: the bundle cannot be read.
    """
    find_served_bundle(paths)
    report = _read_report(paths.metrics)
    scores, metric = _read_scores(report, paths.metrics), settings.register_.metric
    if metric not in scores:
        raise UserError(
            f"{paths.metrics}: has no test.{metric}, which register.metric names; it has: {', '.join(scores) or 'none'}"
        )
    for name, value in scores.items():
        _check_score(name, value, paths.metrics)
    try:
        scored = Scored.from_dict(report["scored"][0])
    except (KeyError, IndexError, TypeError, ValueError):
        raise UserError(f"{paths.metrics}: does not say which model was scored (an earlier release wrote it); {_AGAIN}") from None
    rows = read_rows(settings, paths)
    _check_scored(scored, rows, settings, paths)
    hypotheses = _read_hypotheses(paths.evaluation / PREDICTIONS_FILE, scored.predictions)
    if len(hypotheses) != len(rows.pairs):
        raise UserError(f"{paths.evaluation}: {len(hypotheses)} predictions for {len(rows.pairs)} rows of the test set; {_AGAIN}")
    found = score(hypotheses, rows.references, [metric], scoring_options(settings.evaluate))[metric]
    if abs(found - scores[metric]) > SCORE_TOLERANCE * find_metric(metric).scale:
        raise UserError(f"{paths.metrics}: says {metric} {scores[metric]:g}, but its predictions score {found:g}; {_AGAIN}")
    keep_outputs(scored.decoding, hypotheses, paths)
    return Evaluated(scored, scores, rows, hypotheses)


def _read_report(metrics: Path) -> dict[str, Any]:
    try:
        report = json.loads(metrics.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingInput(f"{metrics}: no such file; `s2s evaluate` (or `dvc repro evaluate`) makes it") from None
    except ValueError as error:
        raise UserError(f"{metrics}: not JSON ({error}); expected the metrics that `s2s evaluate` writes") from None
    if not isinstance(report, dict):
        raise UserError(f"{metrics}: not a JSON object; expected the metrics that `s2s evaluate` writes")
    return report


def _read_scores(report: Mapping[str, Any], metrics: Path) -> dict[str, float]:
    """The scores on the test set, by metric."""
    test = report.get("test")
    if not isinstance(test, dict):
        return {}
    faulty = [name for name, value in test.items() if isinstance(value, bool) or not isinstance(value, int | float)]
    if faulty:
        raise UserError(f"{metrics}: test.{faulty[0]} is no number; {_AGAIN}")
    return {name: float(value) for name, value in test.items()}


def _check_score(name: str, value: float, metrics: Path) -> None:
    """Refuses a score that the metric cannot give."""
    metric = find_metric(name)
    high = math.inf if metric.high is None else metric.high
    if not metric.low <= value <= high:  # also where it is not a number
        bounds = f"at least {metric.low:g}" if metric.high is None else f"from {metric.low:g} to {metric.high:g}"
        raise UserError(f"{metrics}: test.{name} is {value:g}, which is no score of {name} ({bounds}); {_AGAIN}")


def _check_scored(scored: Scored, rows: TestRows, settings: Settings, paths: Paths) -> None:
    """Refuses an evaluation of another model, test set or metric's settings."""
    metric = settings.register_.metric
    signature = metric_settings([metric], scoring_options(settings.evaluate))[metric]
    facts = [
        ("the model", scored.decoding.bundle, bundle_digest(paths.served), paths.served),
        ("the test set", scored.decoding.test_set, rows.digest, paths.prepared_split("test")),
        (f"the settings of {metric}", scored.metrics.get(metric), signature, paths.params),
    ]
    for what, then, now, place in facts:
        if then != now:
            raise UserError(f"{paths.metrics}: {what} has changed since it was scored ({then}, now {now} in {place}); {_AGAIN}")


def _read_hypotheses(predictions: Path, digest: str) -> list[str]:
    """The stored hypotheses, if the file is the one of that digest."""
    if not predictions.is_file():
        raise MissingInput(f"{predictions}: no such file; `s2s evaluate` (or `dvc repro evaluate`) makes it")
    if file_digest(predictions) != digest:
        raise UserError(f"{predictions}: has changed since it was scored; {_AGAIN}")
    with predictions.open(encoding="utf-8") as file:
        return [str(json.loads(line)["hypothesis"]) for line in file]
