"""Scores by the requested metrics; each metric is a file in ``evaluation/metrics``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seq2seq_core.config.metric_names import LOSS, METRICS, is_slow, list_metrics
from seq2seq_core.evaluation.metric import DEFAULT_OPTIONS, Metric, ScoringOptions
from seq2seq_core.named_modules import load


def find_metric(name: str) -> Metric:
    """The metric with a name; its file is imported.

    Args:
        name: the name of its file, such as ``bleu``.

    Raises:
        ValueError: there is no such metric.
    """
    if name not in list_metrics():
        raise ValueError(f"unknown metric {name!r}, expected one of {', '.join(list_metrics())}")
    metric = load(METRICS, name).METRIC
    assert isinstance(metric, Metric)
    return metric


def score(
    hypotheses: Sequence[str], references: Sequence[str], metrics: Iterable[str], options: ScoringOptions = DEFAULT_OPTIONS
) -> dict[str, float]:
    """The scores of a whole test set, by metric, in the order asked for.

    Args:
        hypotheses: decoded texts; at least one.
        references: one for each hypothesis, in the same order.
        metrics: their names.
        options: settings that metrics read.

    Raises:
        ValueError: no hypothesis, another number of references, or an unknown metric.
        UserError: the package of a metric is not installed.
    """
    if len(hypotheses) != len(references) or not hypotheses:
        raise ValueError(f"expected at least one hypothesis and as many references, got {len(hypotheses)} and {len(references)}")
    found = [find_metric(name) for name in metrics]
    for metric in found:
        metric.check_installed()
    return {metric.name: metric.compute(hypotheses, references, options) for metric in found}


def signatures(metrics: Iterable[str], options: ScoringOptions = DEFAULT_OPTIONS) -> dict[str, str]:
    """The signatures to report with scores (Post 2018), by metric; metrics without one are left out.

    Args:
        metrics: their names.
        options: settings that metrics read.
    """
    found = map(find_metric, metrics)
    return {metric.name: metric.signature(options) for metric in found if metric.signature is not None}


def check_installed(metrics: Iterable[str]) -> None:
    """Checks that the packages of some metrics are installed.

    Args:
        metrics: their names.

    Raises:
        UserError: one is not installed.
    """
    for name in metrics:
        find_metric(name).check_installed()


def quick_metrics(metrics: Iterable[str]) -> list[str]:
    """The metrics that are fast enough to compute often, in the same order.

    Args:
        metrics: their names.
    """
    return [name for name in metrics if not is_slow(name)]


def is_higher_better(metric: str) -> bool:
    """Whether a higher score, or loss, is better.

    Args:
        metric: its name, or ``loss``.
    """
    return metric != LOSS and find_metric(metric).higher_is_better
