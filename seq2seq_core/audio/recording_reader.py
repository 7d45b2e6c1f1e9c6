"""Recordings to feature frames: from files by name, or from samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.audio.sound_file import RecordingError, read_recording
from seq2seq_core.errors import UserError


class RecordingReader:
    """Reads recordings as frames.

    Args:
        front_end: makes the frames.
        folder: relative file names start here.
    """

    def __init__(self, front_end: FrontEnd, folder: Path) -> None:
        self.front_end, self.folder = front_end, folder

    def read(self, source: str | Path | NDArray[np.float32]) -> NDArray[np.float32]:
        """The frames_SF of a recording.

        Args:
            source: the name of a WAV or FLAC file, or samples_N from -1 to 1 at the front end's rate (float32, at least one).

        Raises:
            UserError: the file cannot be used; names it.
            ValueError: the samples are not of that shape.
        """
        if isinstance(source, np.ndarray):
            if source.ndim != 1 or not len(source):
                raise ValueError(f"expected the samples of a recording, an array of one axis and some length, got {source.shape}")
            return self.front_end.frames(source)
        path = self.folder / source
        try:
            return self.front_end.frames(read_recording(path, self.front_end.sample_rate).samples_N)
        except RecordingError as error:
            raise UserError(f"{path}: {error}") from None
