"""The metrics that can be computed here."""

from __future__ import annotations

import importlib.metadata

from seq2seq_core.config.metric_names import list_metrics
from seq2seq_core.evaluation.metric import Metric
from seq2seq_core.evaluation.scores import find_metric


def installed_metrics() -> list[Metric]:
    """Those whose packages are installed."""
    installed = {one.metadata["Name"] for one in importlib.metadata.distributions()}
    return [metric for name in list_metrics() if not (metric := find_metric(name)).needs or metric.needs in installed]


INSTALLED_METRICS = [metric.name for metric in installed_metrics()]
