"""Decay with the inverse square root of the step (Vaswani 2017, equation 3, with the peak as the scale)."""

from __future__ import annotations

import math

from seq2seq_core.config.train import PhaseSettings


def fraction(step: int, settings: PhaseSettings) -> float:
    """See :mod:`seq2seq_core.training.updates.schedule`."""
    return math.sqrt(max(settings.warmup_steps, 1) / step)
