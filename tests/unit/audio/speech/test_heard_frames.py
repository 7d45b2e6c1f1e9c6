"""Written frames, as a recogniser reads them: the same as by its own front end from the sound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.audio.speech.heard_frames import hear, why_not_heard
from seq2seq_core.audio.speech.speech_front_end import SpeechFrontEnd
from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.config.speech.speech_settings import SpeechSettings
from seq2seq_core.config.tokenize import AudioSettings

RATE = 8000
SPECTRA = {"num_mels": 20, "window_ms": 50.0, "hop_ms": 12.5}


def hearing(**settings: Any) -> FrontEnd:
    return FrontEnd(sample_rate=RATE, settings=AudioSettings.model_validate({**SPECTRA, "low_hz": 0.0} | settings))


@pytest.mark.parametrize("normalization", ["none", "mean", "mean_variance"])
def test_they_are_those_of_the_sound_alone_and_in_a_batch_with_a_gradient(normalization: str) -> None:
    draw = np.random.default_rng(0)
    sounds = [0.1 * draw.normal(size=length).astype(np.float32) for length in (3000, 4567, 800, 400)]
    sounds[1][2000:] = 0.0
    written = SpeechFrontEnd(sample_rate=RATE, settings=SpeechSettings(**SPECTRA, trim_db=0.0, loudness_db=0.0))
    written = written.fitted([written.energies(sound) for sound in sounds])
    heard = hearing(normalization=normalization, stack_frames=3, frame_stride=2, log_floor=1e-4)
    batch = collate_sources([written.normalize(written.energies(sound)) for sound in sounds])
    batch.values[0, int(batch.lengths_B[0]) :] = 50.0  # what stands at padding does not count
    frames = batch.values.requires_grad_()
    found, lengths = hear(frames, batch.lengths_B, written, heard)
    for row, sound in enumerate(sounds):
        own = torch.from_numpy(heard.frames(sound))
        assert int(lengths[row]) == len(own)
        assert torch.allclose(found[row, : len(own)], own, atol=2e-5)
        assert not found[row, len(own) :].any()
    (gradient,) = torch.autograd.grad(found.square().sum(), frames)
    assert bool(gradient.isfinite().all())
    assert not gradient[0, int(batch.lengths_B[0]) :].any()


def test_other_spectra_are_named() -> None:
    written = SpeechFrontEnd(sample_rate=RATE, settings=SpeechSettings.model_validate(SPECTRA))
    assert not why_not_heard(written, hearing())
    assert not why_not_heard(written, hearing(high_hz=RATE / 2))
    other = why_not_heard(written, hearing(num_mels=12, low_hz=20.0))
    assert other == "its recordings have num_mels 12 (of the speech: 20), low_hz 20 (of the speech: 0)"
    vocoded = SpeechFrontEnd(sample_rate=RATE, settings=SpeechSettings.model_validate(SPECTRA | {"spectrum": "magnitude"}))
    assert why_not_heard(vocoded, hearing()) == "its recordings have spectrum power (of the speech: magnitude)"
