"""Recordings that are targets: any rate and any channels in, each bad file refused with its reason, silence and loudness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from seq2seq_core.audio.sound_file import RecordingError
from seq2seq_core.audio.speech.speech_samples import read_speech, set_loudness, trim_silence

RATE = 8000


def sine(hertz: float, rate: int, seconds: float = 0.5) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def pitch_of(samples: NDArray[np.float32], rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


@pytest.mark.parametrize(
    ("rate", "channels", "name"), [(8000, 1, "a.wav"), (16000, 2, "a.flac"), (44100, 1, "a.wav"), (6000, 3, "a.ogg")]
)
def test_any_rate_and_any_channels_become_one_channel_at_one_rate(tmp_path: Path, rate: int, channels: int, name: str) -> None:
    soundfile.write(tmp_path / name, np.stack([sine(440, rate)] * channels, axis=1), rate)
    found = read_speech(tmp_path / name, RATE, resample=True)
    assert found.sample_rate == RATE
    assert found.seconds == pytest.approx(0.5, abs=0.01)
    assert pitch_of(found.samples_N, RATE) == pytest.approx(440, abs=3)
    assert np.abs(found.samples_N).max() == pytest.approx(0.5, abs=0.03)
    if (rate, channels) != (RATE, 1):
        with pytest.raises(RecordingError, match="expected one channel of 8000 samples a second"):
            read_speech(tmp_path / name, RATE, resample=False)


def test_bad_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, sine(440, RATE), RATE)
    whole = path.read_bytes()
    faults = {
        "no such file": None,
        "not a sound file": b"",
        "not a sound file ": b"RIFF" + whole[30:],
        r"cut short: 978 samples, but its header says 4000": whole[:2000],
    }
    for reason, content in faults.items():
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(RecordingError, match=reason.strip()):
            read_speech(path, RATE, resample=True)
    for reason, samples in (("silent", np.zeros(100)), ("empty", np.zeros(0)), ("no numbers", np.array([np.nan, 0.5]))):
        soundfile.write(path, samples, RATE, subtype="FLOAT")
        with pytest.raises(RecordingError, match=reason):
            read_speech(path, RATE, resample=True)
    soundfile.write(path, np.full(1801 * 1000, 0.1), 1000)
    with pytest.raises(RecordingError, match="too long: expected at most 1800 seconds, got 1801"):
        read_speech(path, RATE, resample=True)


def test_silence_goes_at_the_ends_alone_and_loudness_is_as_asked() -> None:
    loud = sine(440, RATE).astype(np.float32)
    noise = (1e-4 * np.random.default_rng(1).normal(size=1000)).astype(np.float32)
    padded = np.concatenate([noise, loud, noise, loud, noise])
    trimmed = trim_silence(padded, window=100, trim_db=40.0)
    assert np.array_equal(trimmed, padded[1000:-1000])
    assert trim_silence(padded, window=100, trim_db=0.0) is padded
    scaled = set_loudness(trimmed, -30.0)
    assert 20 * np.log10(np.sqrt(np.mean(scaled.astype(np.float64) ** 2))) == pytest.approx(-30.0, abs=1e-3)
    assert np.abs(set_loudness(trimmed, -0.1)).max() == pytest.approx(0.99)
    assert set_loudness(trimmed, 0.0) is trimmed
