"""Learning rates: a linear warm-up, then one of four shapes. A function of the step alone, so that nothing has to be saved."""

from __future__ import annotations

import math

from seq2seq_core.config.train import PhaseSettings


def learning_rate(step: int, settings: PhaseSettings) -> float:
    """The learning rate of an update.

    Args:
        step: number of the update in its phase, from 1.
        settings: ``learning_rate`` is reached at step ``warmup_steps``; ``linear`` and ``cosine`` come near 0 at ``max_steps``.
    """
    peak, warmup = settings.learning_rate, settings.warmup_steps
    if step < warmup:
        return peak * step / warmup
    match settings.schedule:
        case "constant":
            return peak
        case "inverse_sqrt":  # Vaswani 2017, equation 3, with the peak as the scale
            return peak * math.sqrt(max(warmup, 1) / step)
        case "linear":
            return peak * (1.0 - _decayed_fraction(step, settings))
        case "cosine":  # Loshchilov and Hutter 2017, equation 5, one period
            return peak * 0.5 * (1.0 + math.cos(math.pi * _decayed_fraction(step, settings)))


def _decayed_fraction(step: int, settings: PhaseSettings) -> float:
    """How far between the warm-up's end (0) and one step past the last (1) a step is."""
    return (step - settings.warmup_steps) / (settings.max_steps + 1 - settings.warmup_steps)
