"""The recordings of an audio corpus: their files, checks, and digests that tell equal recordings."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seq2seq_core.audio.sound_file import RecordingError, read_recording
from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.file_faults.text_faults import quote
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.pairs import RECORDING_DIGEST
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
    """

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self.folder, self.sample_rate = folder, sample_rate

    def find(self, name: str) -> FoundRecording:
        """The digest and duration of a recording.

        Args:
            name: the source of a row.

        Raises:
            RecordingError: the name leads out of the folder, or the file cannot be used.
        """
        recording = read_recording(self._path(name), self.sample_rate)
        return FoundRecording(hashlib.sha256(recording.samples_N.tobytes()).hexdigest(), recording.seconds)

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
    """The corpus's recordings; None if its sources are texts.

    Args:
        corpus: reads ``source_kind``, ``path`` and ``sample_rate``.
        root: the workspace; a relative corpus path starts here.

    Raises:
        CorpusError: there is no corpus folder.
    """
    return Recordings(find_folder(corpus, root), corpus.sample_rate) if corpus.source_kind == "audio" else None


def find_recording(recordings: Recordings, row: Row) -> FoundRecording:
    """The recording of a row.

    Args:
        recordings: of the corpus.
        row: its source names the recording.

    Raises:
        CorpusError: the recording cannot be used, or the row has a column that ``s2s prepare`` adds; names file and line.
    """
    if RECORDING_DIGEST in row.columns:
        raise CorpusError(f"the column {RECORDING_DIGEST!r} is one that `s2s prepare` adds; rename it in the file", row.file)
    try:
        return recordings.find(row.source)
    except RecordingError as error:
        raise CorpusError(f"{quote(row.source)}: {error}", row.file, row.line) from None
