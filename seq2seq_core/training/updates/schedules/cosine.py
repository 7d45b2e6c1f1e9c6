"""Half a period of a cosine (Loshchilov and Hutter 2017, equation 5, one period), to 0 one step past the last."""

from __future__ import annotations

import math

from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.training.updates.schedule import decayed_fraction


def fraction(step: int, settings: PhaseSettings) -> float:
    """See :mod:`seq2seq_core.training.updates.schedule`."""
    return 0.5 * (1.0 + math.cos(math.pi * decayed_fraction(step, settings)))
