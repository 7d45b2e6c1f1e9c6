from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.audio.front_end import FrontEnd, stack_frames
from seq2seq_core.audio.sound_file import write_wav
from seq2seq_core.config.tokenize import AudioSettings
from seq2seq_core.errors import UserError
from seq2seq_core.frames.frame_reader import FrameReader

NOISE = np.random.default_rng(5).normal(scale=0.1, size=3000).astype(np.float32)


def make_front_end(**settings: object) -> FrontEnd:
    return FrontEnd(sample_rate=8000, settings=AudioSettings.model_validate(settings))


def test_each_band_is_normalised_over_the_recording() -> None:
    raw_SM = make_front_end(normalization="none").frames(NOISE)
    centred_SM = make_front_end(normalization="mean").frames(NOISE)
    normal_SM = make_front_end().frames(NOISE)
    assert centred_SM == pytest.approx(raw_SM - raw_SM.mean(axis=0), abs=1e-5)
    assert normal_SM.mean(axis=0) == pytest.approx(np.zeros(40), abs=1e-5)
    assert normal_SM.std(axis=0) == pytest.approx(np.ones(40), abs=1e-4)
    assert normal_SM.dtype == np.float32


def test_a_louder_copy_of_a_recording_has_the_same_frames() -> None:
    assert make_front_end().frames(2 * NOISE) == pytest.approx(make_front_end().frames(NOISE), abs=1e-4)


def test_silence_and_a_single_frame_have_frames_of_zeros() -> None:
    assert make_front_end().frames(np.zeros(1000, dtype=np.float32)).tolist() == [[0.0] * 40] * 11
    assert make_front_end().frames(NOISE[:10]).tolist() == [[0.0] * 40]


def test_neighbouring_frames_stand_side_by_side() -> None:
    frames = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert stack_frames(frames, 1, 1).tolist() == frames.tolist()
    assert stack_frames(frames, 3, 2).tolist() == [[0, 1, 2, 3, 4, 5], [4, 5, 6, 7, 8, 9], [8, 9, 8, 9, 8, 9]]
    assert stack_frames(frames, 1, 3).tolist() == [[0, 1], [6, 7]]


def test_the_description_says_how_wide_frames_are_and_how_far_apart_and_survives_json() -> None:
    front_end = make_front_end(num_mels=20, stack_frames=3, frame_stride=2)
    assert (front_end.frame_width, front_end.frame_seconds) == (60, 0.02)
    again = FrontEnd.model_validate_json(front_end.model_dump_json())
    assert again == front_end
    assert again.frames(NOISE).tolist() == front_end.frames(NOISE).tolist()


def test_a_recording_is_read_from_its_file_or_its_samples(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", NOISE, 8000)
    reader = FrameReader(make_front_end(), tmp_path)
    assert reader.read("a.wav").tolist() == reader.read(tmp_path / "a.wav").tolist()
    assert reader.read(NOISE) == pytest.approx(reader.read("a.wav"), abs=0.02)
    with pytest.raises(UserError, match=r"/b\.wav: no such file; expected a WAV or FLAC file$"):
        reader.read("b.wav")
    for wrong in (np.zeros((2, 2), dtype=np.float32), np.zeros(0, dtype=np.float32)):
        with pytest.raises(ValueError, match=r"^expected the samples of a recording"):
            reader.read(wrong)
