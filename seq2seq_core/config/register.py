"""``register``: the name in the registry and when a new version becomes the champion."""

from __future__ import annotations

from pydantic import Field

from seq2seq_core.config.metric_names import MetricName
from seq2seq_core.config.section import Section


class RegisterSection(Section):
    """Registration and promotion."""

    model_name: str = Field(min_length=1, pattern=r"^[\w.-]+$")
    """Name of the registered model: letters, digits, ``_``, ``.`` and ``-``."""
    metric: MetricName = "exact_match"
    """The test metric that decides."""
    minimum_gain: float = Field(default=0.0, ge=0.0)
    """How much better than the champion's score a version must be to take its place, in the metric's unit."""
    minimum_score: float | None = None
    """The lowest score with which a version can become the champion; none: any."""
