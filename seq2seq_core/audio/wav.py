"""Samples of WAV files: one channel of 16-bit PCM at a known rate, and the refusal, with its reason, of everything else."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.errors import UserError

FULL_SCALE = 32768.0
"""What a 16-bit sample is divided by, so that samples are from -1 to below 1."""


class RecordingError(UserError):
    """A recording cannot be used; says what was found and what was expected, without naming the file."""


@dataclass(frozen=True)
class Recording:
    """The samples of a recording.

    Attributes:
        samples_N: float32, from -1 to below 1; at least one.
        sample_rate: samples a second.
    """

    samples_N: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples_N) / self.sample_rate


def read_wav(file: Path | BinaryIO, sample_rate: int) -> Recording:
    """The recording in a WAV file.

    Args:
        file: its path, or its bytes as a stream.
        sample_rate: samples a second that it must have.

    Raises:
        RecordingError: there is no such file, it is no mono WAV of 16-bit PCM at this rate, or it is empty or cut short.
    """
    try:
        with wave.open(file if not isinstance(file, Path) else str(file), "rb") as reader:
            _check_format(reader, sample_rate)
            expected, data = reader.getnframes(), reader.readframes(reader.getnframes())
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise RecordingError("no such file; expected a WAV file") from None
    except (wave.Error, EOFError) as error:
        reason = str(error) or "it ends within its header"
        raise RecordingError(f"not a WAV file of PCM samples ({reason}); {_expected(sample_rate)}") from None
    except OSError as error:
        raise RecordingError(f"cannot be read ({error.strerror}); {_expected(sample_rate)}") from None
    if not expected:
        raise RecordingError("empty: it has no samples; expected at least one")
    if len(data) < 2 * expected:
        raise RecordingError(f"cut short: {len(data) // 2} samples, but its header says {expected}")
    return Recording(np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(FULL_SCALE), sample_rate)


def read_sample_rate(path: Path) -> int:
    """Samples a second of a WAV file.

    Args:
        path: the file.

    Raises:
        RecordingError: there is no such file, or it is no WAV file of PCM samples.
    """
    try:
        with wave.open(str(path), "rb") as reader:
            return reader.getframerate()
    except FileNotFoundError:
        raise RecordingError("no such file; expected a WAV file") from None
    except (wave.Error, EOFError) as error:
        raise RecordingError(f"not a WAV file of PCM samples ({error}); expected one") from None


def write_wav(path: Path, samples_N: NDArray[np.float32], sample_rate: int) -> None:
    """Writes samples as a mono WAV file of 16-bit PCM; what is beyond full scale is clipped.

    Args:
        path: the file.
        samples_N: from -1 to below 1.
        sample_rate: samples a second.
    """
    integers = np.clip(np.rint(samples_N * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype("<i2")
    with wave.open(str(path), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(integers.tobytes())


def _check_format(reader: wave.Wave_read, sample_rate: int) -> None:
    found = []
    if (channels := reader.getnchannels()) != 1:
        found.append(f"{channels} channels")
    if (bits := 8 * reader.getsampwidth()) != 16:
        found.append(f"{bits} bits a sample")
    if (rate := reader.getframerate()) != sample_rate:
        found.append(f"{rate} samples a second")
    if found:
        raise RecordingError(f"has {' and '.join(found)}; {_expected(sample_rate)}")


def _expected(sample_rate: int) -> str:
    return f"expected a WAV file of one channel, 16-bit PCM, {sample_rate} samples a second"
