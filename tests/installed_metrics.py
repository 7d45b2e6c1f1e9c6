"""The metrics that can be computed here."""

from __future__ import annotations

from seq2seq_core.config.metric_names import list_metrics
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.metric import Metric
from seq2seq_core.evaluation.scores import find_metric


def _is_installed(metric: Metric) -> bool:
    try:
        metric.check_installed()
    except UserError:
        return False
    return True


def installed_metrics() -> list[Metric]:
    """Those whose packages are installed."""
    return [metric for metric in map(find_metric, list_metrics()) if _is_installed(metric)]


INSTALLED_METRICS = [metric.name for metric in installed_metrics()]
