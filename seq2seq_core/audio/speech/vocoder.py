"""What makes sound of frames: the protocol, and the algorithm of Griffin and Lim behind it.

Shapes: N samples, T frames, M mel bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.mel import LogMel
from seq2seq_core.audio.speech.griffin_lim import make_sound


class Vocoder(Protocol):
    """Makes sound of frames: the same of the same frames, at each call."""

    @property
    def label(self) -> str:
        """A name that changes with the sound."""

    def sound(self, energies_TM: NDArray[np.float32], log_mel: LogMel) -> NDArray[np.float32]:
        """The samples_N, from -1 to 1.

        Args:
            energies_TM: natural logarithms; at least one frame.
            log_mel: the front end that made them, or whose frames a model writes.
        """


@dataclass(frozen=True)
class GriffinLim:
    """The algorithm of Griffin and Lim (1984).

    Attributes:
        iterations: at least 1.
    """

    iterations: int = 60

    @property
    def label(self) -> str:
        """A name that changes with the sound."""
        return f"{self.iterations} iterations of Griffin and Lim"

    def sound(self, energies_TM: NDArray[np.float32], log_mel: LogMel) -> NDArray[np.float32]:
        """See :meth:`Vocoder.sound`."""
        return make_sound(energies_TM, log_mel, self.iterations)
