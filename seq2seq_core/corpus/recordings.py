"""The recordings of an audio corpus: their files, checks, and digests that tell equal recordings."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seq2seq_core.audio.sound_file import Recording, RecordingError, read_recording
from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.config.section import Side
from seq2seq_core.corpus.file_faults.text_faults import quote
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.pairs import RECORDING, RECORDING_DIGEST
from seq2seq_core.corpus.reading import find_folder
from seq2seq_core.errors import CorpusError


@dataclass(frozen=True)
class FoundRecording:
    """A usable recording.

    Attributes:
        digest: hexadecimal SHA-256 of its samples; recordings with equal digests are equal, whatever their names.
        seconds: its duration.
    """

    digest: str
    seconds: float


class Recordings:
    """The recordings of a corpus.

    Args:
        folder: the folder that their names are relative to.
        sample_rate: the required number of samples per second.

    Attributes:
        side: the side of a row that names its recording.
    """

    side: Side = "source"

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self.folder, self.sample_rate = folder, sample_rate

    def find(self, name: str) -> FoundRecording:
        """The digest and duration of a recording.

        Args:
            name: the source of a row.

        Raises:
            RecordingError: the name leads out of the folder, or the file cannot be used.
        """
        recording = self.read(self._path(name))
        return FoundRecording(hashlib.sha256(recording.samples_N.tobytes()).hexdigest(), recording.seconds)

    def read(self, path: Path) -> Recording:
        """The recording in a file.

        Raises:
            RecordingError: the file cannot be used.
        """
        return read_recording(path, self.sample_rate)

    def name_in(self, row: Row) -> str:
        """The name of a row's recording."""
        return row.source

    def locate(self, row: Row, error: RecordingError) -> str:
        """The fault of a row's recording, for a message that begins with the row's source."""
        return str(error)

    def copy(self, name: str, folder: Path) -> None:
        """Copies a recording to the same name in another folder, unless that file exists.

        Args:
            name: a name that :meth:`find` accepts.
            folder: the other folder.
        """
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._path(name), target)

    def _path(self, name: str) -> Path:
        place = PurePosixPath(name)
        if not name.strip() or "\0" in name or place.is_absolute() or ".." in place.parts:
            raise RecordingError("expected the name of a file inside the corpus folder (corpus.path)")
        return self.folder / place


def open_recordings(corpus: CorpusSection, root: Path) -> Recordings | None:
    """The corpus's recordings; None if both sides are texts.

    Args:
        corpus: reads ``source_kind``, ``path`` and ``sample_rate``.
        root: the workspace; a relative corpus path starts here.

    Raises:
        CorpusError: there is no corpus folder.
    """
    if corpus.target_kind == "audio":
        from seq2seq_core.corpus.spoken_targets import SpokenTargets

        return SpokenTargets(find_folder(corpus, root), corpus.sample_rate, corpus.resample)
    return Recordings(find_folder(corpus, root), corpus.sample_rate) if corpus.source_kind == "audio" else None


def find_recording(recordings: Recordings, row: Row) -> FoundRecording:
    """The recording of a row.

    Args:
        recordings: of the corpus.
        row: its source, or its target, names the recording.

    Raises:
        CorpusError: the recording cannot be used, or the row has a column that ``s2s prepare`` adds; names file and line.
    """
    taken = (RECORDING_DIGEST,) if recordings.side == "source" else (RECORDING, RECORDING_DIGEST)
    if names := [name for name in taken if name in row.columns]:
        raise CorpusError(f"the column {names[0]!r} is one that `s2s prepare` adds; rename it in the file", row.file)
    try:
        return recordings.find(recordings.name_in(row))
    except RecordingError as error:
        raise CorpusError(f"{quote(recordings.name_in(row))}: {error}", row.file, row.line) from None
