"""Linear decay, to 0 one step past the last."""

from __future__ import annotations

from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.training.updates.schedule import decayed_fraction


def fraction(step: int, settings: PhaseSettings) -> float:
    """See :mod:`seq2seq_core.training.updates.schedule`."""
    return 1.0 - decayed_fraction(step, settings)
