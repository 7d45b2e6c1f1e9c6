from __future__ import annotations

import io
import re
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from seq2seq_core.audio.sound_file import RecordingError, RecordingTooLong, read_recording, read_sample_rate, write_wav
from seq2seq_core.errors import UserError

EXPECTED = "expected a WAV or FLAC file of one channel, 16-bit PCM, 8000 samples a second"


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
    recording = read_recording(tmp_path / "a.wav", 8000)
    assert recording.samples_N.dtype == np.float32
    assert recording.samples_N.tolist() == [0.0, 0.5, -0.25, 32767 / 32768, -1.0, 1 / 32768]
    assert recording.seconds == 6 / 8000
    assert read_sample_rate(tmp_path / "a.wav") == 8000


def test_a_recording_can_be_read_from_its_bytes(tmp_path: Path) -> None:
    data = write(tmp_path / "a.wav").read_bytes()
    assert len(read_recording(io.BytesIO(data), 8000).samples_N) == 40


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
        read_recording(write(tmp_path / "a.wav", **form), 8000)


def test_what_is_no_recording_is_refused_with_its_reason(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.wav").read_bytes()
    no_wav = "not a WAV file of PCM samples or a FLAC file"
    faults = {
        "missing.wav": (None, "no such file; expected a WAV or FLAC file"),
        "folder": (None, "no such file; expected a WAV or FLAC file"),
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
            read_recording(tmp_path / name, 8000)


def test_the_rate_of_what_is_no_recording_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no such file"):
        read_sample_rate(tmp_path / "missing.wav")
    (tmp_path / "a.wav").write_bytes(b"no RIFF at all")
    with pytest.raises(RecordingError, match="not a WAV file of PCM samples or a FLAC file"):
        read_sample_rate(tmp_path / "a.wav")


def flac(integers_N: NDArray[np.int16], rate: int = 8000, subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, integers_N, rate, format="FLAC", subtype=subtype)
    return buffer.getvalue()


def promise(data: bytes, num_samples: int) -> bytes:
    """The file with another number of samples in the last 36 bits of its stream's rate, channels, bits and length."""
    field = int.from_bytes(data[18:26], "big") >> 36 << 36 | num_samples
    return data[:18] + field.to_bytes(8, "big") + data[26:]


def noise(num_samples: int) -> NDArray[np.int16]:
    return np.random.default_rng(1).integers(-32768, 32767, num_samples, dtype=np.int16, endpoint=True)


def test_flac_and_wav_of_the_same_samples_are_the_same_recording(tmp_path: Path) -> None:
    integers_N = noise(2**20 + 77)
    (tmp_path / "a.flac").write_bytes(flac(integers_N))
    soundfile.write(tmp_path / "a.wav", integers_N, 8000, subtype="PCM_16")
    found = [read_recording(tmp_path / name, 8000).samples_N for name in ("a.flac", "a.wav")]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], integers_N / np.float32(32768))
    assert found[0].dtype == found[1].dtype == np.float32
    assert read_sample_rate(tmp_path / "a.flac") == 8000


def test_flac_that_cannot_be_used_is_refused_with_its_reason() -> None:
    whole = flac(noise(9000))
    faults = {
        "format": (flac(noise(40), 16000), f"has 16000 samples a second; {EXPECTED}"),
        "bits": (flac(noise(40), 8000, "PCM_24"), f"has 24 bits a sample; {EXPECTED}"),
        "channels": (flac(noise(40).reshape(20, 2)), f"has 2 channels; {EXPECTED}"),
        "header": (b"fLaC", f"not a WAV file of PCM samples or a FLAC file (Format not recognised); {EXPECTED}"),
        "half": (whole[: len(whole) // 2], "cut short or damaged ("),
        "last byte": (whole[:-1], "cut short or damaged ("),
        "zeros": (whole[:9000] + bytes(50) + whole[9050:], "cut short or damaged ("),
        "terabytes": (promise(whole, 2**36 - 1), "cut short or damaged ("),
        "unknown length": (
            promise(whole, 0),
            f"not a WAV file of PCM samples or a FLAC file (its header does not say how many samples it has); {EXPECTED}",
        ),
    }
    for name, (data, message) in faults.items():
        with pytest.raises(RecordingError) as caught:
            read_recording(io.BytesIO(data), 8000)
        assert str(caught.value).startswith(message), name


@pytest.mark.parametrize("seconds", [2, 100_000])
def test_no_more_is_decoded_than_a_recording_may_have(seconds: int) -> None:
    data = promise(flac(np.zeros(16_000, dtype=np.int16)), seconds * 8000)
    with pytest.raises(RecordingTooLong) as caught:
        read_recording(io.BytesIO(data), 8000, max_seconds=1)
    assert str(caught.value) == f"must be a recording of at most 1 seconds, got {seconds:.3g}"
    assert caught.value.seconds == seconds


def test_a_wav_that_promises_more_than_it_may_have_is_cut_short_first(tmp_path: Path) -> None:
    data = write(tmp_path / "a.wav").read_bytes()
    promising = data[:40] + b"\xff\xff\xff\xff" + data[44:]
    with pytest.raises(RecordingError, match=r"^cut short: 40 samples, but its header says 2147483647$"):
        read_recording(io.BytesIO(promising), 8000, max_seconds=1)


def test_without_its_package_flac_is_refused_with_the_command_and_wav_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = flac(noise(40))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(UserError) as caught:
        read_recording(io.BytesIO(data), 8000)
    assert str(caught.value) == "reading FLAC needs the package soundfile, which is not installed; run: pip install soundfile"
    assert not isinstance(caught.value, RecordingError)
    assert len(read_recording(write(tmp_path / "a.wav"), 8000).samples_N) == 40
