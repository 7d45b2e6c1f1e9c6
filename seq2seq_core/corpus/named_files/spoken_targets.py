"""The recordings of a corpus whose targets are recordings: of any sound file, at one rate in what ``prepare`` writes."""

from __future__ import annotations

import shutil
from pathlib import Path

from seq2seq_core.audio.sound_file import Recording, RecordingError, read_recording, write_wav
from seq2seq_core.audio.speech.speech_samples import read_speech
from seq2seq_core.config.section import Side
from seq2seq_core.corpus.recordings import Recordings


class SpokenTargets(Recordings):
    """The recordings that targets name.

    Args:
        folder: the folder that their names are relative to.
        sample_rate: samples a second of the prepared recordings.
        resample: whether files may have other rates and several channels.
    """

    side: Side = "target"

    def __init__(self, folder: Path, sample_rate: int, resample: bool) -> None:
        super().__init__(folder, sample_rate)
        self.resample = resample

    def read(self, path: Path) -> Recording:
        """See :class:`~seq2seq_core.corpus.recordings.Recordings`."""
        return read_speech(path, self.sample_rate, self.resample)

    def copy(self, name: str, folder: Path) -> None:
        """Copies a recording, or writes it as WAV where the file has another form; see the base class."""
        path, target = self.path_of(name), folder / name
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            read_recording(path, self.sample_rate)
        except RecordingError:
            write_wav(target, self.read(path).samples_N, self.sample_rate)
        else:
            shutil.copyfile(path, target)
