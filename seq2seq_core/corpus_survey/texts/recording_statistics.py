"""The recordings that a corpus names: their sample rate and durations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seq2seq_core.audio.sound_file import RecordingError, read_recording, read_sample_rate
from seq2seq_core.audio.speech.speech_samples import rate_and_seconds
from seq2seq_core.corpus_survey.files.folder_files import ending_of
from seq2seq_core.errors import UserError

READ_RECORDINGS = 40
"""Recordings that are read, at even distances."""
READABLE = (".wav", ".flac")


@dataclass(frozen=True)
class RecordingStatistics:
    """The recordings of a corpus.

    Attributes:
        sample_rate: samples per second.
        mean_seconds: mean duration.
        max_seconds: longest duration.
    """

    sample_rate: int
    mean_seconds: float
    max_seconds: float


def describe_recordings(folder: Path, names: Sequence[str]) -> RecordingStatistics:
    """The statistics of the recordings that rows name.

    Args:
        folder: the corpus folder.
        names: the sources of rows.

    Raises:
        UserError: a recording cannot be used; names it, and says how to convert it.
    """
    looked_at = _some(names)
    for name in looked_at:
        if ending_of(name) not in READABLE:
            raise UserError(
                f"{name}: expected a WAV or FLAC file; `ffmpeg -i IN -ac 1 -ar 16000 -c:a pcm_s16le OUT.wav` converts it"
            )
        if PurePosixPath(name).is_absolute() or not (folder / name).is_file():
            raise _not_there(folder, name)
    try:
        rates = Counter(read_sample_rate(folder / name) for name in looked_at)
    except RecordingError as error:
        raise UserError(f"{folder}: a recording cannot be used: {error}") from None
    rate = rates.most_common(1)[0][0]
    seconds = []
    for name in looked_at:
        try:
            seconds.append(read_recording(folder / name, rate).seconds)
        except RecordingError as error:
            raise UserError(
                f"{folder / name}: {error}; `ffmpeg -i IN -ac 1 -ar {rate} -c:a pcm_s16le OUT.wav` converts a recording"
            ) from None
    return RecordingStatistics(rate, sum(seconds) / len(seconds), max(seconds))


def describe_speech(folder: Path, names: Sequence[str]) -> RecordingStatistics:
    """The statistics of recordings that are targets: any sound file that libsndfile reads.

    Args:
        folder: the corpus folder.
        names: the targets of rows.

    Raises:
        UserError: a recording cannot be used; names it. Or soundfile is not installed.
    """
    found = []
    for name in _some(names):
        if PurePosixPath(name).is_absolute():
            raise _not_there(folder, name)
        try:
            found.append(rate_and_seconds(folder / name))
        except RecordingError as error:
            raise UserError(f"{folder / name}: {error}") from None
    rate = Counter(rate for rate, _ in found).most_common(1)[0][0]
    return RecordingStatistics(rate, sum(seconds for _, seconds in found) / len(found), max(seconds for _, seconds in found))


def _some(names: Sequence[str]) -> Sequence[str]:
    """The recordings that are read."""
    return names[:: max(1, len(names) // READ_RECORDINGS)][:READ_RECORDINGS]


def _not_there(folder: Path, name: str) -> UserError:
    return UserError(f"{folder}: no recording {name!r}; expected names relative to that folder, such as recordings/a.wav")
