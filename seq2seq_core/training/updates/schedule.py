"""Learning rates: a linear warm-up, then one of five shapes.

Four are functions of the step alone, so that nothing has to be saved. ``plateau`` also goes by what dev has come to, which is kept
in a :class:`PlateauState`.
"""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict

from seq2seq_core.config.recipe import Plateau
from seq2seq_core.config.train import PhaseSettings


class PlateauState(BaseModel):
    """How far the learning rate has come down since dev stopped getting better; part of the training state."""

    model_config = ConfigDict(extra="forbid")

    num_stale: int = 0
    """Validations since the dev metric last got better, or since the last reduction."""
    num_reductions: int = 0
    """How often the learning rate was reduced in this phase."""

    def observe(self, has_improved: bool, settings: Plateau) -> bool:
        """Takes a validation in; returns whether the learning rate falls.

        Args:
            has_improved: whether it counts as better than those before.
            settings: how many validations are waited for.
        """
        self.num_stale = 0 if has_improved else self.num_stale + 1
        if self.num_stale < settings.patience:
            return False
        self.num_stale = 0
        self.num_reductions += 1
        return True

    def scale(self, settings: Plateau) -> float:
        """What the learning rate is multiplied by.

        Args:
            settings: the factor of a reduction, and the lowest share.
        """
        return max(settings.factor**self.num_reductions, settings.lowest_fraction)


def learning_rate(step: int, settings: PhaseSettings) -> float:
    """The learning rate of an update, before reductions.

    Args:
        step: number of the update in its phase, from 1.
        settings: ``learning_rate`` is reached at step ``warmup_steps``; ``linear`` and ``cosine`` come near 0 at ``max_steps``.
    """
    peak, warmup = settings.learning_rate, settings.warmup_steps
    if step < warmup:
        return peak * step / warmup
    match settings.schedule:
        case "constant" | "plateau":
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
