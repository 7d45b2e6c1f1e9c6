"""Samples of WAV and FLAC files: one channel of 16-bit PCM at a known rate. Other files raise an error with the reason.

WAV is read by the standard library, FLAC by the package soundfile, which the extra ``audio`` brings.
"""

from __future__ import annotations

import math
import wave
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.errors import SourceFileError, UserError, library_errors

FULL_SCALE = 32768.0
"""Divisor of 16-bit samples; the quotients are from -1 to below 1."""
FLAC_MARK = b"fLaC"
"""The first bytes of a FLAC file (RFC 9639, section 6)."""
_MOST_SAMPLES = 2**36 - 1
"""Maximum number of samples that a FLAC header can state."""
_BLOCK = 2**20
"""Samples per read; a FLAC header may state more than fit in memory."""


class RecordingError(SourceFileError):
    """A recording cannot be used; says what was found and what was expected, without naming the file."""


class RecordingTooLong(RecordingError):
    """A recording exceeds the maximum duration.

    Args:
        seconds: its duration.
        max_seconds: the maximum duration.
    """

    def __init__(self, seconds: float, max_seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"must be a recording of at most {max_seconds:g} seconds, got {seconds:.3g}")


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
        """Its duration."""
        return len(self.samples_N) / self.sample_rate


class _NoSoundFile(Exception):
    """A file has an unsupported format."""


@dataclass(frozen=True)
class _Header:
    """What a header states about the samples; it may be wrong."""

    channels: int
    bits: int
    sample_rate: int
    num_samples: int


class _SoundFile(ABC):
    """An open file of one format."""

    header: _Header

    @abstractmethod
    def read(self, num_samples: int) -> NDArray[np.int16]:
        """The first samples, fewer if the file ends early; requires one channel of 16 bits per sample."""


class _WavFile(_SoundFile):
    def __init__(self, stream: BinaryIO) -> None:
        with library_errors(_not_a_sound_file, wave.Error):
            self._reader = wave.open(stream, "rb")  # noqa: SIM115 - the caller closes the stream
        form = self._reader.getparams()
        self.header = _Header(form.nchannels, 8 * form.sampwidth, form.framerate, form.nframes)

    def read(self, num_samples: int) -> NDArray[np.int16]:
        with library_errors(_damaged, wave.Error):
            data = self._reader.readframes(num_samples)
        return np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2")


class _FlacFile(_SoundFile):
    def __init__(self, stream: BinaryIO) -> None:
        library = _soundfile()
        with library_errors(_not_a_sound_file):
            self._reader = library.SoundFile(stream)
            bits = int(self._reader.subtype.removeprefix("PCM_").removeprefix("S"))
        if self._reader.frames > _MOST_SAMPLES:
            raise _NoSoundFile("its header does not say how many samples it has")
        self.header = _Header(self._reader.channels, bits, self._reader.samplerate, self._reader.frames)

    def read(self, num_samples: int) -> NDArray[np.int16]:
        blocks, missing = [np.zeros(0, dtype=np.int16)], num_samples
        with library_errors(_damaged):
            while missing and len(block := self._reader.read(min(_BLOCK, missing), dtype="int16")):
                blocks.append(block)
                missing -= len(block)
        return np.concatenate(blocks)


def read_recording(file: Path | BinaryIO, sample_rate: int, max_seconds: float = math.inf) -> Recording:
    """The recording in a WAV or FLAC file.

    Args:
        file: its path, or its bytes as a stream.
        sample_rate: the required number of samples per second.
        max_seconds: the maximum duration; nothing beyond it is read.

    Raises:
        RecordingError: there is no such file, it is no mono WAV or FLAC of 16-bit PCM at this rate, or it is empty, too long or
            cut short.
        UserError: it is FLAC, and soundfile is not installed.
    """
    with _open(file, _expected(sample_rate)) as source:
        header = source.header
        _check_form(header, sample_rate)
        if not header.num_samples:
            raise RecordingError("empty: it has no samples; expected at least one")
        num_samples = int(min(header.num_samples, max_seconds * sample_rate))
        integers_N = source.read(num_samples)
    if len(integers_N) < num_samples:
        raise RecordingError(f"cut short: {len(integers_N)} samples, but its header says {header.num_samples}")
    if num_samples < header.num_samples:
        raise RecordingTooLong(header.num_samples / sample_rate, max_seconds)
    return Recording(integers_N.astype(np.float32) / np.float32(FULL_SCALE), sample_rate)


def read_sample_rate(path: Path) -> int:
    """Samples per second of a WAV or FLAC file.

    Args:
        path: the file; only its header is read.

    Raises:
        RecordingError: there is no such file, or it is neither WAV of PCM samples nor FLAC.
        UserError: it is FLAC, and soundfile is not installed.
    """
    with _open(path, "expected one") as source:
        return source.header.sample_rate


def write_wav(file: Path | BinaryIO, samples_N: NDArray[np.float32], sample_rate: int) -> None:
    """Writes samples as a mono WAV file of 16-bit PCM; values beyond full scale are clipped.

    Args:
        file: the output file, or a stream that can be sought.
        samples_N: from -1 to below 1.
        sample_rate: samples a second.
    """
    integers = np.clip(np.rint(samples_N * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype("<i2")
    with wave.open(str(file) if isinstance(file, Path) else file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(integers.tobytes())


@contextmanager
def _open(file: Path | BinaryIO, expected: str) -> Iterator[_SoundFile]:
    """The file, opened as FLAC or WAV by its first bytes.

    Raises:
        RecordingError: it is missing, cannot be read, or is of another kind; names what was expected.
    """
    try:
        with file.open("rb") if isinstance(file, Path) else nullcontext(file) as stream:
            is_flac = stream.read(len(FLAC_MARK)) == FLAC_MARK
            stream.seek(0)
            yield _FlacFile(stream) if is_flac else _WavFile(stream)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise RecordingError("no such file; expected a WAV or FLAC file") from None
    except OSError as error:
        raise RecordingError(f"cannot be read ({error.strerror or error}); {expected}") from None
    except _NoSoundFile as error:
        raise RecordingError(f"not a WAV file of PCM samples or a FLAC file ({error}); {expected}") from None


def _check_form(header: _Header, sample_rate: int) -> None:
    found = []
    if header.channels != 1:
        found.append(f"{header.channels} channels")
    if header.bits != 16:
        found.append(f"{header.bits} bits a sample")
    if header.sample_rate != sample_rate:
        found.append(f"{header.sample_rate} samples a second")
    if found:
        raise RecordingError(f"has {' and '.join(found)}; {_expected(sample_rate)}")


def _expected(sample_rate: int) -> str:
    return f"expected a WAV or FLAC file of one channel, 16-bit PCM, {sample_rate} samples a second"


def _soundfile() -> Any:
    """The package soundfile, which no WAV file needs."""
    try:
        import soundfile
    except ImportError:
        raise UserError("reading FLAC needs the package soundfile, which is not installed; run: pip install soundfile") from None
    return soundfile


def _reason(error: Exception) -> str:
    """The reason that a library gives; of libsndfile without its full stop."""
    return str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(". ") or type(error).__name__


def _not_a_sound_file(error: Exception) -> _NoSoundFile:
    return _NoSoundFile("it ends within its header" if isinstance(error, EOFError) else _reason(error))


def _damaged(error: Exception) -> RecordingError:
    return RecordingError(f"cut short or damaged ({_reason(error)})")
