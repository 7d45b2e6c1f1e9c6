"""The recordings that a corpus names: their sample rate and durations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.audio.sound_file import RecordingError, read_recording, read_sample_rate
from seq2seq_core.audio.speech.speech_samples import rate_and_seconds
from seq2seq_core.corpus_survey.texts.usable_files import read_some

READABLE = (".wav", ".flac")
CONVERTS = "`ffmpeg -i IN -ac 1 -ar {rate} -c:a pcm_s16le OUT.wav` converts"


@dataclass(frozen=True)
class RecordingStatistics:
    """The recordings of a corpus.

    Attributes:
        sample_rate: samples per second.
        mean_seconds: mean duration.
        max_seconds: longest duration.
        faults: why files cannot be used, by name.
    """

    sample_rate: int
    mean_seconds: float
    max_seconds: float
    faults: dict[str, str]


def describe_recordings(folder: Path, names: Sequence[str]) -> RecordingStatistics:
    """The statistics of the recordings that rows name.

    Args:
        folder: the corpus folder.
        names: the sources of rows.

    Raises:
        UserError: none of those read can be used; names the first, and says how to convert it.
    """
    advice = f"expected a WAV or FLAC file; {CONVERTS.format(rate=16_000)} it"
    rates, faults = read_some(folder, names, "recording", read_sample_rate, READABLE, advice)
    rate = Counter(rates).most_common(1)[0][0]

    def seconds_of(path: Path) -> float:
        try:
            return read_recording(path, rate).seconds
        except RecordingError as error:
            raise RecordingError(f"{error}; {CONVERTS.format(rate=rate)} a recording") from None

    found, broken = read_some(folder, names, "recording", seconds_of, READABLE, advice)
    return _statistics(rate, found, broken | faults)


def describe_speech(folder: Path, names: Sequence[str]) -> RecordingStatistics:
    """The statistics of recordings that are targets: any sound file that libsndfile reads.

    Args:
        folder: the corpus folder.
        names: the targets of rows.

    Raises:
        UserError: none of those read can be used; names the first. Or soundfile is not installed.
    """
    found, faults = read_some(folder, names, "recording", rate_and_seconds)
    rate = Counter(rate for rate, _ in found).most_common(1)[0][0]
    return _statistics(rate, [seconds for _, seconds in found], faults)


def _statistics(rate: int, seconds: Sequence[float], faults: dict[str, str]) -> RecordingStatistics:
    return RecordingStatistics(rate, sum(seconds) / len(seconds), max(seconds), faults)
