"""Frames to sound and back, and distortion, against formulas written out."""

from __future__ import annotations

import numpy as np
import pytest

from seq2seq_core.audio.speech.cepstra import mel_cepstra, mel_distortion, warp
from seq2seq_core.audio.speech.griffin_lim import bin_powers, make_sound
from seq2seq_core.audio.speech.speech_front_end import SpeechFrontEnd
from seq2seq_core.config.speech.speech_settings import SpeechSettings

FRONT_END = SpeechFrontEnd(sample_rate=8000, settings=SpeechSettings(num_mels=40, trim_db=0.0, loudness_db=0.0))


def test_frames_become_the_same_sound_at_each_call_and_its_frames_are_near() -> None:
    places = np.arange(4000) / 8000
    samples = (0.3 * np.sin(2 * np.pi * (300 + 400 * places) * places)).astype(np.float32)
    energies = FRONT_END.energies(samples)
    sound = make_sound(energies, FRONT_END.log_mel, 60)
    assert np.array_equal(sound, make_sound(energies, FRONT_END.log_mel, 60))
    assert len(sound) == len(energies) * FRONT_END.log_mel.hop_samples
    near = mel_distortion(energies, FRONT_END.energies(sound))
    assert near < 2.0
    assert near < mel_distortion(energies, FRONT_END.energies(make_sound(energies, FRONT_END.log_mel, 1)))
    assert len(make_sound(energies[:1], FRONT_END.log_mel, 3)) == FRONT_END.log_mel.hop_samples


def test_powers_of_bins_give_the_bands_that_they_are_made_of() -> None:
    powers = np.random.default_rng(2).gamma(1.0, size=(3, FRONT_END.log_mel.filters_KM.shape[0]))
    bands = powers @ FRONT_END.log_mel.filters_KM
    found = bin_powers(np.log(bands).astype(np.float32), FRONT_END.log_mel)
    assert found.min() > 0
    assert np.abs(found @ FRONT_END.log_mel.filters_KM / bands - 1).mean() < 0.02


def test_train_has_mean_0_and_variance_1_and_comes_back() -> None:
    chance = np.random.default_rng(4)
    energies = [chance.normal(3.0, 2.0, size=(length, 40)).astype(np.float32) for length in (30, 50)]
    fitted = FRONT_END.fitted(iter(energies))
    frames = np.concatenate([fitted.normalize(one) for one in energies])
    assert fitted.max_frames == 50
    assert np.allclose(frames.mean(axis=0), 0.0, atol=1e-4)
    assert np.allclose(frames.std(axis=0), 1.0, atol=1e-4)
    assert np.allclose(fitted.denormalize(fitted.normalize(energies[0])), energies[0], atol=1e-4)
    assert SpeechFrontEnd.model_validate_json(fitted.model_dump_json()) == fitted


def test_the_distortion_of_one_changed_coefficient_is_by_the_formula() -> None:
    bands = np.arange(40)
    base = np.random.default_rng(3).normal(size=(1, 40))
    changed = base + 2.0 * 0.25 * np.cos(np.pi * 3 * (bands + 0.5) / 40)  # 0.25 on coefficient 3 of the log amplitude
    difference = mel_cepstra(changed) - mel_cepstra(base)
    assert difference[0] == pytest.approx([0.25 if order == 3 else 0.0 for order in range(1, 14)], abs=1e-9)
    assert mel_distortion(changed, base) == pytest.approx(10 / np.log(10) * np.sqrt(2) * 0.25)
    louder = base + 1.0  # coefficient 0 does not count
    assert mel_distortion(louder, base) == pytest.approx(0.0, abs=1e-6)


def test_the_way_through_a_table_worked_out_by_hand() -> None:
    costs = np.array([[0.0, 9.0, 9.0], [1.0, 0.0, 9.0], [9.0, 0.0, 9.0], [9.0, 9.0, 0.0]])
    assert warp(costs) == [(0, 0), (1, 1), (2, 1), (3, 2)]
    assert warp(costs[:1]) == [(0, 0), (0, 1), (0, 2)]
    slow = np.repeat(np.random.default_rng(5).normal(size=(6, 20)), 2, axis=0)
    assert mel_distortion(slow, slow[::2]) == pytest.approx(0.0, abs=1e-6)
