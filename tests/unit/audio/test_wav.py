from __future__ import annotations

import io
import re
import wave
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.audio.wav import RecordingError, read_sample_rate, read_wav, write_wav

EXPECTED = "expected a WAV file of one channel, 16-bit PCM, 8000 samples a second"


def write(path: Path, channels: int = 1, width: int = 2, rate: int = 8000, samples: int = 40) -> Path:
    with wave.open(str(path), "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(bytes(channels * width * samples))
    return path


def test_samples_come_back_as_they_were_written_and_are_clipped_at_full_scale(tmp_path: Path) -> None:
    samples_N = np.array([0.0, 0.5, -0.25, 1.5, -1.5, 1 / 32768], dtype=np.float32)
    write_wav(tmp_path / "a.wav", samples_N, 8000)
    recording = read_wav(tmp_path / "a.wav", 8000)
    assert recording.samples_N.dtype == np.float32
    assert recording.samples_N.tolist() == [0.0, 0.5, -0.25, 32767 / 32768, -1.0, 1 / 32768]
    assert recording.seconds == 6 / 8000
    assert read_sample_rate(tmp_path / "a.wav") == 8000


def test_a_recording_can_be_read_from_its_bytes(tmp_path: Path) -> None:
    data = write(tmp_path / "a.wav").read_bytes()
    assert len(read_wav(io.BytesIO(data), 8000).samples_N) == 40


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ({"channels": 2}, "has 2 channels"),
        ({"width": 1}, "has 8 bits a sample"),
        ({"rate": 16000}, "has 16000 samples a second"),
        ({"channels": 2, "width": 3, "rate": 44100}, "has 2 channels and 24 bits a sample and 44100 samples a second"),
    ],
)
def test_another_format_is_refused(tmp_path: Path, form: dict[str, int], found: str) -> None:
    with pytest.raises(RecordingError, match=f"^{re.escape(f'{found}; {EXPECTED}')}$"):
        read_wav(write(tmp_path / "a.wav", **form), 8000)


def test_what_is_no_recording_is_refused_with_its_reason(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.wav").read_bytes()
    no_wav = "not a WAV file of PCM samples"
    faults = {
        "missing.wav": (None, "no such file; expected a WAV file"),
        "folder": (None, "no such file; expected a WAV file"),
        "text.wav": (b"RIFX is no beginning", f"{no_wav} (file does not start with RIFF id); {EXPECTED}"),
        "nothing.wav": (b"", f"{no_wav} (it ends within its header); {EXPECTED}"),
        "cut.wav": (whole[:-21], "cut short: 29 samples, but its header says 40"),
        "empty.wav": (write(tmp_path / "e.wav", samples=0).read_bytes(), "empty: it has no samples; expected at least one"),
    }
    (tmp_path / "folder").mkdir()
    for name, (data, message) in faults.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(RecordingError, match=f"^{re.escape(message)}$"):
            read_wav(tmp_path / name, 8000)


def test_the_rate_of_what_is_no_recording_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no such file"):
        read_sample_rate(tmp_path / "missing.wav")
    (tmp_path / "a.wav").write_bytes(b"no RIFF at all")
    with pytest.raises(RecordingError, match="not a WAV file of PCM samples"):
        read_sample_rate(tmp_path / "a.wav")
