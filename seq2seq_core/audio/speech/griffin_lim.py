"""From log-mel energies to sound: power or magnitude of the bins, and the phase by the algorithm of Griffin and Lim (1984).

The short-time Fourier transform and its inverse are PyTorch's. It begins with phase 0 and draws nothing, so that equal frames are
equal sound.

Shapes: N samples, T frames, M mel bands, K bins of the spectrum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seq2seq_core.audio.mel import LogMel

MOMENTUM = 0.99
"""How far each step goes on in the direction of the last (alpha of Perraudin 2013, algorithm 2)."""
SPREADING_STEPS, TINY = 50, 1e-10
"""Steps of the least squares that spread bands over bins, and the least power of a bin."""


def bin_powers(energies_TM: NDArray[np.float32], log_mel: LogMel) -> NDArray[np.float64]:
    """The powers_TK, not negative, whose bands come nearest to some energies; or the magnitudes, where bands sum these up.

    Multiplicative updates (Lee and Seung 2001, theorem 1) keep every power positive.

    Args:
        energies_TM: natural logarithms.
        log_mel: made them.
    """
    bands_TM, filters_KM = np.exp(energies_TM.astype(np.float64)), log_mel.filters_KM
    powers_TK: NDArray[np.float64] = np.maximum((bands_TM / filters_KM.sum(axis=0)) @ filters_KM.T, TINY)
    wanted_TK, squares_KK = bands_TM @ filters_KM.T, filters_KM @ filters_KM.T
    for _ in range(SPREADING_STEPS):
        powers_TK = np.maximum(powers_TK * wanted_TK / np.maximum(powers_TK @ squares_KK, TINY), TINY)
    return powers_TK


def make_sound(energies_TM: NDArray[np.float32], log_mel: LogMel, iterations: int) -> NDArray[np.float32]:
    """The samples_N, from -1 to 1, of some energies.

    Args:
        energies_TM: natural logarithms; at least one frame.
        log_mel: the front end that made them, or whose frames a model writes.
        iterations: of the algorithm; at least 1.
    """
    bins_TK = bin_powers(energies_TM, log_mel)
    magnitude_KT = torch.from_numpy((np.sqrt(bins_TK) if log_mel.spectrum == "power" else bins_TK).T.copy())
    magnitude_KT = torch.nn.functional.pad(magnitude_KT, (0, 1))  # of one frame alone, no sound can be made
    window_W = torch.from_numpy(log_mel.window_W)
    length = log_mel.hop_samples * (magnitude_KT.shape[1] - 1)
    form: dict[str, Any] = {
        "n_fft": log_mel.fft_size,
        "hop_length": log_mel.hop_samples,
        "win_length": len(window_W),
        "window": window_W,
    }
    phase_KT, before_KT = (
        torch.ones_like(magnitude_KT, dtype=torch.complex128),
        torch.zeros_like(magnitude_KT, dtype=torch.complex128),
    )
    for _ in range(iterations):
        samples_N = torch.istft(magnitude_KT * phase_KT, **form, length=length)
        rebuilt_KT = torch.stft(samples_N, **form, pad_mode="constant", return_complex=True)
        phase_KT = rebuilt_KT + MOMENTUM * (rebuilt_KT - before_KT)
        phase_KT, before_KT = phase_KT / phase_KT.abs().clamp_min(TINY), rebuilt_KT
    samples_N = torch.istft(magnitude_KT * phase_KT, **form, length=length)
    peak = float(samples_N.abs().max())
    found: NDArray[np.float32] = (samples_N / max(1.0, peak)).float().numpy()
    return found
