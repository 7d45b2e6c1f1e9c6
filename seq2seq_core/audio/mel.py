"""Log-mel energies: the logarithm of the power in overlapping triangular bands that are evenly spaced on the mel scale.

Mel-spaced triangular bands are those of Davis and Mermelstein (1980, section II); the scale is O'Shaughnessy's (1987), as in HTK.

Shapes: N samples, W samples of a window, S frames, K bins of the spectrum, M mel bands.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from seq2seq_core.config.speech.speech_settings import Padding, Slopes, Spectrum
from seq2seq_core.config.tokenize import AudioSettings

Array = NDArray[np.float64]


def hertz_to_mel(hertz: Array) -> Array:
    """2595 log10(1 + f / 700)  (O'Shaughnessy 1987; Young 2006, The HTK Book, equation 5.13)."""
    mel: Array = 2595.0 * np.log10(1.0 + hertz / 700.0)
    return mel


def mel_to_hertz(mel: Array) -> Array:
    """The inverse of :func:`hertz_to_mel`."""
    hertz: Array = 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return hertz


def mel_filters(num_mels: int, fft_size: int, sample_rate: int, low_hz: float, high_hz: float, slopes: Slopes = "mel") -> Array:
    """Weights filters_KM of the bins of a spectrum in each band.

    A band rises from 0 at its lower neighbour's centre to 1 at its own and falls to 0 at its upper neighbour's, in straight lines.

    Args:
        num_mels: M.
        fft_size: of the spectrum; K is half of it plus 1.
        sample_rate: samples a second.
        low_hz: the lower edge of the first band.
        high_hz: the upper edge of the last band.
        slopes: the scale on which the lines are straight.

    Raises:
        ValueError: a band is so narrow that no bin falls into it.
    """
    low_mel, high_mel = hertz_to_mel(np.array([low_hz, high_hz])).tolist()
    edges = np.linspace(low_mel, high_mel, num_mels + 2)
    bins_K1 = (np.arange(fft_size // 2 + 1) * sample_rate / fft_size)[:, None]
    if slopes == "mel":
        bins_K1 = hertz_to_mel(bins_K1)
    else:
        edges = mel_to_hertz(edges)
    rising_KM = (bins_K1 - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling_KM = (edges[2:] - bins_K1) / (edges[2:] - edges[1:-1])
    filters_KM: Array = np.maximum(0.0, np.minimum(rising_KM, falling_KM))
    if empty := np.flatnonzero(filters_KM.sum(axis=0) == 0.0).tolist():
        raise ValueError(
            f"band {empty[0]} of {num_mels} holds no bin of a spectrum of {fft_size} points at {sample_rate} samples a second"
        )
    return filters_KM


class LogMel:
    """Log-mel energies of samples.

    Args:
        settings: window, hop, bands and floor.
        sample_rate: samples a second.
        spectrum: what a band sums up; power is called energy here in either case.
        slopes: of the bands.
        padding: at both ends of a recording.

    Raises:
        ValueError: a band is so narrow that no bin falls into it.

    Attributes:
        window_samples: W.
        hop_samples: from the start of a frame to the start of the next.
        fft_size: the smallest power of two that is not below W.
    """

    def __init__(
        self,
        settings: AudioSettings,
        sample_rate: int,
        spectrum: Spectrum = "power",
        slopes: Slopes = "mel",
        padding: Padding = "none",
    ) -> None:
        self.spectrum, self.padding = spectrum, padding
        self.window_samples = max(2, round(settings.window_ms * sample_rate / 1000))
        self.hop_samples = max(1, round(settings.hop_ms * sample_rate / 1000))
        self.fft_size = 1 << (self.window_samples - 1).bit_length()
        self.log_floor = settings.log_floor
        # A period of W, not W - 1: the window whose shifted copies add up evenly (Harris 1978, section IV).
        self.window_W = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(self.window_samples) / self.window_samples)
        high_hz = settings.high_hz or sample_rate / 2
        self.filters_KM = mel_filters(settings.num_mels, self.fft_size, sample_rate, settings.low_hz, high_hz, slopes)

    def num_frames(self, num_samples: int) -> int:
        """S: as many windows as fit; one for a recording that is shorter than a window."""
        return 1 + max(0, num_samples + 2 * self._added_samples - self.window_samples) // self.hop_samples

    @property
    def _added_samples(self) -> int:
        """Mirrored samples at each end."""
        return self.window_samples // 2 if self.padding == "center" else 0

    def energies(self, samples_N: NDArray[np.float32]) -> NDArray[np.float32]:
        """log(max(energy of the band, floor)), natural: energies_SM.

        Args:
            samples_N: from -1 to 1; at least one. A recording shorter than a window is padded with zeros.
        """
        padded_N = np.pad(samples_N.astype(np.float64), self._added_samples, mode="reflect")
        padded_N = np.pad(padded_N, (0, max(0, self.window_samples - len(padded_N))))
        windows_SW = sliding_window_view(padded_N, self.window_samples)[:: self.hop_samples]
        bins_SK = np.abs(np.fft.rfft(windows_SW * self.window_W, self.fft_size))
        if self.spectrum == "power":
            bins_SK = bins_SK**2
        energies_SM: NDArray[np.float32] = np.log(np.maximum(bins_SK @ self.filters_KM, self.log_floor)).astype(np.float32)
        return energies_SM
