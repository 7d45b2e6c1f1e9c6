"""Recordings and pictures to feature frames: from files by name, or from samples and pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.audio.sound_file import read_recording
from seq2seq_core.errors import SourceError, SourceFileError
from seq2seq_core.pictures.picture_front_end import PictureFrontEnd

FrameMaker = FrontEnd | PictureFrontEnd
"""What makes frames: of recordings, or of pictures."""
MAX_SHOWN = 120
"""Characters of a name that a message shows: whoever sends base64 as a name does not get all of it back."""
Frames = NDArray[np.float32] | NDArray[np.uint8]
"""Frames (frames, values): of recordings float32; of pictures 8 bits, which a model reads divided by 255."""


class FrameReader:
    """Reads recordings or pictures as frames.

    Args:
        front_end: makes the frames.
        folder: relative file names start here.
    """

    def __init__(self, front_end: FrameMaker, folder: Path) -> None:
        self.front_end, self.folder = front_end, folder

    @property
    def dtype(self) -> type[np.generic]:
        """The type of the values of frames."""
        return np.uint8 if isinstance(self.front_end, PictureFrontEnd) else np.float32

    def read(self, source: str | Path | NDArray[Any]) -> Frames:
        """The frames_SF of a recording or picture.

        Args:
            source: the name of a file (WAV or FLAC; or a picture); or samples_N from -1 to 1 at the front end's rate (float32, at
                least one); or pixels_HWC, see :meth:`~seq2seq_core.pictures.picture_front_end.PictureFrontEnd.frames`.

        Raises:
            SourceError: the file cannot be used; names it.
            ValueError: the samples or pixels are not of that shape.
        """
        if isinstance(source, np.ndarray):
            return self._frames_of_array(source)
        path = self.folder / source
        try:
            if isinstance(self.front_end, PictureFrontEnd):
                return self.front_end.read(path)
            return self.front_end.frames(read_recording(path, self.front_end.sample_rate).samples_N)
        except SourceFileError as error:
            shown = str(path)
            shown = shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]} …"
            raise SourceError(f"{shown}: {error}") from None

    def _frames_of_array(self, source: NDArray[Any]) -> Frames:
        if isinstance(self.front_end, PictureFrontEnd):
            return self.front_end.frames(source)
        if source.ndim != 1 or not len(source):
            raise ValueError(f"expected the samples of a recording, an array of one axis and some length, got {source.shape}")
        return self.front_end.frames(source)
