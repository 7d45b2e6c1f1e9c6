"""The recordings that the sources of an audio corpus name: where they are, whether they can be used, which are the same."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seq2seq_core.audio.sound_file import RecordingError, read_recording
from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.reading import find_folder


@dataclass(frozen=True)
class FoundRecording:
    """A recording that can be used.

    Attributes:
        digest: SHA-256, in hexadecimal digits, of its samples: two recordings with the same one are the same, whatever their names.
        seconds: how long it is.
    """

    digest: str
    seconds: float


class Recordings:
    """The recordings of a corpus.

    Args:
        folder: what their names are relative to.
        sample_rate: samples a second that each must have.
    """

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self.folder, self.sample_rate = folder, sample_rate

    def find(self, name: str) -> FoundRecording:
        """The recording of a name.

        Args:
            name: the source of a row.

        Raises:
            RecordingError: the name leads out of the folder, or the file cannot be used.
        """
        recording = read_recording(self._path(name), self.sample_rate)
        return FoundRecording(hashlib.sha256(recording.samples_N.tobytes()).hexdigest(), recording.seconds)

    def copy(self, name: str, folder: Path) -> None:
        """Copies a recording to its name below another folder, unless it is there.

        Args:
            name: of a recording that was found.
            folder: takes the place of the corpus folder.
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
    """The corpus's recordings; None where its sources are texts.

    Args:
        corpus: says what the sources are.
        root: the workspace, which a relative corpus folder is below.

    Raises:
        CorpusError: there is no corpus folder.
    """
    return Recordings(find_folder(corpus, root), corpus.sample_rate) if corpus.source_kind == "audio" else None
