"""The recordings of an audio corpus."""

from __future__ import annotations

import hashlib
from pathlib import Path

from seq2seq_core.artifacts import AUDIO_FOLDER
from seq2seq_core.audio.sound_file import Recording, read_recording
from seq2seq_core.corpus.named_files.source_files import FoundFile, SourceFiles
from seq2seq_core.corpus.pairs import RECORDING_DIGEST


class Recordings(SourceFiles):
    """The recordings of a corpus; digests are of their samples.

    Args:
        folder: the folder that their names are relative to.
        sample_rate: the required number of samples per second.
    """

    noun, digest_column, prepared_folder = "recordings", RECORDING_DIGEST, AUDIO_FOLDER

    def __init__(self, folder: Path, sample_rate: int) -> None:
        super().__init__(folder)
        self.sample_rate = sample_rate

    def find(self, name: str) -> FoundFile:
        """The digest and duration of a recording; see :class:`~seq2seq_core.corpus.named_files.source_files.SourceFiles`."""
        recording = self.read(self.path_of(name))
        return FoundFile(hashlib.sha256(recording.samples_N.tobytes()).hexdigest(), recording.seconds)

    def read(self, path: Path) -> Recording:
        """The recording in a file.

        Args:
            path: the file.

        Raises:
            RecordingError: the file cannot be used.
        """
        return read_recording(path, self.sample_rate)
