"""Recordings and pictures in a request: files in base64, not paths, because a path would name a file on the server."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.sound_file import RecordingTooLong, read_recording
from seq2seq_core.config.serving.request_limits import RequestLimits
from seq2seq_core.errors import UserError
from seq2seq_core.pictures.picture_file import PictureTooLarge
from seq2seq_core.pictures.picture_front_end import PictureFrontEnd
from seq2seq_core.serving.request import read_sources
from seq2seq_core.serving.request_columns import SOURCE_COLUMN, Columns, refusal

HEADER_BYTES = 65_536
"""Room for the parts of a file other than its samples or pixels."""
BYTES_A_PIXEL = 4
"""No format in use takes more, uncompressed, at 8 bits a channel."""


def read_recordings(columns: Columns, limits: RequestLimits, sample_rate: int) -> list[NDArray[np.float32]]:
    """The samples of each recording of a request, from -1 to below 1.

    Args:
        columns: the request, with a WAV or FLAC file in base64 in each row of the column ``source``.
        limits: of rows, and of a recording's seconds.
        sample_rate: required sample rate, in Hz.

    Raises:
        MlflowException: the request is invalid; the message names the row (from 0) and what was expected.
    """
    texts = read_sources(columns, limits, _in_base64(2 * sample_rate * limits.max_seconds), "max_seconds")

    def read(content: bytes) -> NDArray[np.float32]:
        return read_recording(io.BytesIO(content), sample_rate, limits.max_seconds).samples_N

    return [_read(text, row, "a WAV or FLAC file", limits, read) for row, text in enumerate(texts)]


def read_pictures(columns: Columns, limits: RequestLimits, front_end: PictureFrontEnd) -> list[NDArray[np.uint8]]:
    """The frames of each picture of a request, as 8 bits. A picture of several frames or pages is refused.

    Args:
        columns: the request, with a picture file in base64 in each row of the column ``source``.
        limits: of rows, and of a picture's pixels.
        front_end: of the model.

    Raises:
        MlflowException: the request is invalid; the message names the row (from 0) and what was expected.
    """
    texts = read_sources(columns, limits, _in_base64(BYTES_A_PIXEL * limits.max_pixels), "max_pixels")

    def read(content: bytes) -> NDArray[np.uint8]:
        return front_end.read(content, limits.max_pixels, takes_first=False)

    return [_read(text, row, "a picture", limits, read) for row, text in enumerate(texts)]


def _in_base64(num_bytes: int) -> int:
    """The characters that a file with so many bytes of samples or pixels takes."""
    return -(-(num_bytes + HEADER_BYTES) // 3) * 4


def _read(text: str, row: int, expected: str, limits: RequestLimits, read: Callable[[bytes], NDArray[Any]]) -> Any:
    """What a reader makes of the file in a row."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(f"row {row}: {SOURCE_COLUMN} must be {expected} in base64, got something else ({error})") from None
    try:
        return read(data)
    except (RecordingTooLong, PictureTooLarge) as error:
        name = "max_seconds" if isinstance(error, RecordingTooLong) else "max_pixels"
        raise refusal(f"row {row}: {SOURCE_COLUMN} {error} ({limits.place_of(name)} sets the limit)") from None
    except UserError as error:
        raise refusal(f"row {row}: {SOURCE_COLUMN}, decoded from base64: {error}") from None
