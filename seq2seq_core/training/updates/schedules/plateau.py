"""The peak, reduced each time that dev stops improving; :class:`PlateauState` counts the reductions."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from seq2seq_core.config.recipe import Plateau
from seq2seq_core.config.train import PhaseSettings


def fraction(step: int, settings: PhaseSettings) -> float:
    """See :mod:`seq2seq_core.training.updates.schedule`; before reductions."""
    return 1.0


class PlateauState(BaseModel):
    """The reductions of the learning rate so far; part of the training state."""

    model_config = ConfigDict(extra="forbid")

    num_stale: int = 0
    """Validations since the dev metric last improved, or since the last reduction."""
    num_reductions: int = 0
    """Reductions of the learning rate in this phase."""

    def observe(self, has_improved: bool, settings: Plateau) -> bool:
        """Adds a validation; returns whether the learning rate is reduced.

        Args:
            has_improved: whether the validation counts as progress.
            settings: gives ``patience``.
        """
        self.num_stale = 0 if has_improved else self.num_stale + 1
        if self.num_stale < settings.patience:
            return False
        self.num_stale = 0
        self.num_reductions += 1
        return True

    def scale(self, settings: Plateau) -> float:
        """The factor on the learning rate.

        Args:
            settings: the factor of a reduction, and the lowest share.
        """
        return max(settings.factor**self.num_reductions, settings.lowest_fraction)
