"""Samples of a recording that is a target: of any sound file, at one rate; without silence at the ends, at one loudness.

Shapes: N samples, C channels, W windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.sound_file import FULL_SCALE, Recording, RecordingError
from seq2seq_core.errors import UserError, first_line

Samples = NDArray[np.float32]
MAX_SPEECH_SECONDS = 1800.0
"""Longest recording that is read: no utterance, but a book."""
STREAMED = 0x7FFFF000
"""Sizes of data from here on are those of programs that did not know them when they wrote the header."""
PEAK = 0.99
"""Largest sample that a change of loudness may make."""


def read_speech(path: Path, sample_rate: int, resample: bool) -> Recording:
    """The recording in a sound file, as 16-bit samples of one channel at a rate.

    Args:
        path: any file that libsndfile reads.
        sample_rate: samples a second.
        resample: whether another rate is changed to this one and channels are averaged; else both are faults.

    Raises:
        RecordingError: there is no such file, it cannot be read, is empty, silent, too long, or has another rate or channels.
        UserError: soundfile or soxr is not installed.
    """
    samples_NC, rate = _read(path)
    if not len(samples_NC):
        raise RecordingError("empty: it has no samples; expected at least one")
    if not np.isfinite(samples_NC).all():
        raise RecordingError("has samples that are no numbers; expected samples from -1 to 1")
    found = [f"{samples_NC.shape[1]} channels"] if samples_NC.shape[1] > 1 else []
    found += [f"{rate} samples a second"] if rate != sample_rate else []
    if found and not resample:
        raise RecordingError(
            f"has {' and '.join(found)}; expected one channel of {sample_rate} samples a second (corpus.sample_rate), "
            "or corpus.resample true"
        )
    samples_N = samples_NC.mean(axis=1, dtype=np.float64)
    if rate != sample_rate:
        samples_N = resampled(samples_N, rate, sample_rate)
    integers_N = np.clip(np.rint(samples_N * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
    if not integers_N.any():
        raise RecordingError("silent: all of its samples are 0")
    return Recording((integers_N / FULL_SCALE).astype(np.float32), sample_rate)


def rate_and_seconds(path: Path) -> tuple[int, float]:
    """The rate of a sound file, in samples a second, and how long it is.

    Args:
        path: any file that libsndfile reads.

    Raises:
        RecordingError: there is no such file, it cannot be read, or is too long.
        UserError: soundfile is not installed.
    """
    samples_NC, rate = _read(path)
    return rate, len(samples_NC) / rate


def _read(path: Path) -> tuple[NDArray[np.float64], int]:
    """The samples_NC of a file, and its rate."""
    library = _package("soundfile")
    if not path.is_file():
        raise RecordingError("no such file; expected a sound file")
    try:
        with library.SoundFile(path) as file:
            rate, stated = int(file.samplerate), int(file.frames)
            if stated > MAX_SPEECH_SECONDS * rate:
                raise RecordingError(f"too long: expected at most {MAX_SPEECH_SECONDS:g} seconds, got {stated / rate:.0f}")
            samples_NC: NDArray[np.float64] = file.read(dtype="float64", always_2d=True)
    except library.SoundFileRuntimeError as error:
        reason = first_line(error).removeprefix("Error opening ").rpartition(": ")[2].rstrip(".") or "damaged"
        raise RecordingError(f"not a sound file that can be read ({reason})") from None
    stated = max(stated, _stated_by_wav(path))
    if len(samples_NC) < stated:
        raise RecordingError(f"cut short: {len(samples_NC)} samples, but its header says {stated}")
    return samples_NC, rate


def _stated_by_wav(path: Path) -> int:
    """Samples that the header of a WAV file states, where it does; libsndfile tells only those that are there."""
    with path.open("rb") as stream:
        if stream.read(4) != b"RIFF" or len(stream.read(4)) < 4 or stream.read(4) != b"WAVE":
            return 0
        block = 0
        while len(head := stream.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                return size // block if block and size < STREAMED else 0
            content = stream.read(min(size, 16))
            if head[:4] == b"fmt ":
                block = int.from_bytes(content[12:14], "little")
            stream.seek(size - len(content) + size % 2, 1)  # chunks begin at even places
    return 0


def trim_silence(samples_N: Samples, window: int, trim_db: float) -> Samples:
    """The samples from the first to the last window that is not silent.

    Args:
        samples_N: at least one.
        window: samples of a window.
        trim_db: how far below the loudest window silence is, in decibels; 0: nothing is cut off.
    """
    if not trim_db:
        return samples_N
    padded_N = np.pad(samples_N.astype(np.float64), (0, -len(samples_N) % window))
    power_W = (padded_N.reshape(-1, window) ** 2).mean(axis=1)
    loud = np.flatnonzero(power_W >= power_W.max() * 10.0 ** (-trim_db / 10.0))
    return samples_N[loud[0] * window : (loud[-1] + 1) * window]


def set_loudness(samples_N: Samples, loudness_db: float) -> Samples:
    """The samples scaled to a root mean square, as far as none is clipped.

    Args:
        samples_N: at least one; silence stays.
        loudness_db: in decibels of full scale; 0: they stay.
    """
    root = float(np.sqrt(np.mean(samples_N.astype(np.float64) ** 2)))
    if not loudness_db or not root:
        return samples_N
    factor = min(10.0 ** (loudness_db / 20.0) / root, PEAK / float(np.abs(samples_N).max()))
    scaled_N: Samples = (samples_N * np.float32(factor)).astype(np.float32)
    return scaled_N


def resampled(samples_N: NDArray[Any], rate: int, wanted: int) -> NDArray[Any]:
    """The samples at another rate.

    Args:
        samples_N: at least one.
        rate: theirs, in samples a second.
        wanted: the other one.

    Raises:
        UserError: soxr is not installed.
    """
    found: NDArray[Any] = _package("soxr").resample(samples_N, rate, wanted)
    return found


def _package(name: str) -> Any:
    """A package of the extra ``audio``."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(
            f"targets that are recordings need the package {name}, which is not installed; run: pip install {name}"
        ) from None
