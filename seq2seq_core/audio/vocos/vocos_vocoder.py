"""The vocoder that a Vocos network is.

Shapes: N samples, T frames, M mel bands.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from seq2seq_core.audio.mel import LogMel
from seq2seq_core.audio.vocos.vocos_network import VocosNetwork


class VocosVocoder:
    """Makes sound of frames, each utterance by itself, on the CPU.

    Args:
        network: in evaluation mode.
        digest: of the files that it came from.
    """

    def __init__(self, network: VocosNetwork, digest: str) -> None:
        self.network, self.digest = network, digest

    @property
    def label(self) -> str:
        """A name that changes with the sound."""
        return f"vocos {self.digest}"

    @torch.inference_mode()
    def sound(self, energies_TM: NDArray[np.float32], log_mel: LogMel) -> NDArray[np.float32]:
        """The samples_N, from -1 to 1: a hop for each frame but one; scaled where the network goes beyond.

        Args:
            energies_TM: natural logarithms of magnitudes; at least one frame.
            log_mel: whose frames they are.
        """
        if len(energies_TM) == 1:  # of one frame alone, no sound can be made
            energies_TM = np.repeat(energies_TM, 2, axis=0)
        samples_N = self.network(torch.from_numpy(energies_TM.T.copy()).unsqueeze(0))[0].numpy()
        found: NDArray[np.float32] = samples_N / max(1.0, float(np.abs(samples_N).max()))
        return found
