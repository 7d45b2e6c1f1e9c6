from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from seq2seq_core.audio.mel import LogMel, hertz_to_mel, mel_filters, mel_to_hertz
from seq2seq_core.config.tokenize import AudioSettings

RATE = 8000


def make_noise(samples: int) -> NDArray[np.float32]:
    return np.random.default_rng(3).normal(scale=0.1, size=samples).astype(np.float32)


def test_a_thousand_hertz_are_a_thousand_mel_and_the_scale_has_an_inverse() -> None:
    assert hertz_to_mel(np.array([0.0, 1000.0])) == pytest.approx([0.0, 1000.0], abs=0.02)
    hertz = np.array([20.0, 440.0, 4000.0])
    assert mel_to_hertz(hertz_to_mel(hertz)) == pytest.approx(hertz)


def test_neighbouring_bands_overlap_so_that_their_weights_add_up_to_one_between_the_outer_centres() -> None:
    filters_KM = mel_filters(10, 512, RATE, 0.0, 4000.0)
    edges = np.linspace(0.0, hertz_to_mel(np.array(4000.0)), 12)
    mel_K = hertz_to_mel(np.arange(257) * RATE / 512)
    is_between = (mel_K >= edges[1]) & (mel_K <= edges[-2])
    assert filters_KM[is_between].sum(axis=1) == pytest.approx(np.ones(is_between.sum()))
    assert (filters_KM >= 0).all()
    assert filters_KM.max() <= 1.0
    assert filters_KM[0].tolist() == [0.0] * 10


def test_bands_beyond_the_resolution_of_the_spectrum_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^band 1 of 100 holds no bin of a spectrum of 256 points at 8000 samples a second$"):
        mel_filters(100, 256, RATE, 20.0, 4000.0)


def test_energies_are_those_of_the_formula_written_out() -> None:
    settings = AudioSettings(window_ms=2.5, hop_ms=1.25, num_mels=3, low_hz=0.0, log_floor=1e-9)
    log_mel = LogMel(settings, RATE)
    samples = make_noise(50)
    assert (log_mel.window_samples, log_mel.hop_samples, log_mel.fft_size) == (20, 10, 32)
    edges = [2595 * math.log10(1 + 4000 / 700) * place / 4 for place in range(5)]
    expected = np.zeros((4, 3))
    for frame, band in np.ndindex(expected.shape):
        energy = 0.0
        for k in range(17):
            terms = [
                samples[10 * frame + n] * (0.5 - 0.5 * math.cos(2 * math.pi * n / 20)) * np.exp(-2j * math.pi * k * n / 32)
                for n in range(20)
            ]
            mel = 2595 * math.log10(1 + k * RATE / 32 / 700)
            low, centre, high = edges[band : band + 3]
            weight = max(0.0, min((mel - low) / (centre - low), (high - mel) / (high - centre)))
            energy += weight * abs(sum(terms)) ** 2
        expected[frame, band] = math.log(max(energy, 1e-9))
    assert log_mel.energies(samples) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("hertz", [150.0, 440.0, 1000.0, 2500.0, 3500.0])
def test_a_sine_is_loudest_in_the_band_that_it_lies_in(hertz: float) -> None:
    log_mel = LogMel(AudioSettings(num_mels=24), RATE)
    sine = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
    centres = np.linspace(float(hertz_to_mel(np.array(20.0))), float(hertz_to_mel(np.array(4000.0))), 26)[1:-1]
    nearest = int(np.abs(centres - hertz_to_mel(np.array(hertz))).argmin())
    assert np.abs(log_mel.energies(sine).argmax(axis=1) - nearest).max() <= 1


def test_the_energy_of_the_spectrum_is_that_of_the_windowed_samples() -> None:
    # Parseval, and weights that add up to one: all bands together hold what the window lets through, but for the two ends.
    log_mel = LogMel(AudioSettings(num_mels=20, low_hz=0.0), RATE)
    sine = np.sin(2 * np.pi * 1200 * np.arange(log_mel.window_samples) / RATE).astype(np.float32)
    power = np.exp(log_mel.energies(sine)).sum()
    assert power == pytest.approx(((sine * log_mel.window_W) ** 2).sum() * log_mel.fft_size / 2, rel=0.01)


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (199, 1), (200, 1), (279, 1), (280, 2), (1000, 11)])
def test_there_are_as_many_frames_as_windows_fit_and_at_least_one(samples: int, frames: int) -> None:
    log_mel = LogMel(AudioSettings(), RATE)
    assert log_mel.energies(make_noise(samples)).shape == (frames, 40)
    assert log_mel.num_frames(samples) == frames


def test_silence_has_the_energy_of_the_floor() -> None:
    log_mel = LogMel(AudioSettings(log_floor=1e-4), RATE)
    assert log_mel.energies(np.zeros(400, dtype=np.float32)) == pytest.approx(np.full((3, 40), math.log(1e-4)))
