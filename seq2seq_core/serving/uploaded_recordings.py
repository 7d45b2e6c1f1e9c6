"""Recordings in a request: WAV or FLAC files in base64, not paths, because a path would name a file on the server."""

from __future__ import annotations

import base64
import binascii
import io

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.sound_file import RecordingTooLong, read_recording
from seq2seq_core.config.serving.request_limits import RequestLimits
from seq2seq_core.errors import UserError
from seq2seq_core.serving.request import read_sources
from seq2seq_core.serving.request_columns import SOURCE_COLUMN, Columns, refusal

HEADER_BYTES = 65_536
"""Room for the parts of a file other than its samples."""


def read_recordings(columns: Columns, limits: RequestLimits, sample_rate: int) -> list[NDArray[np.float32]]:
    """The samples of each recording of a request, from -1 to below 1.

    Args:
        columns: the request, with a WAV or FLAC file in base64 in each row of the column ``source``.
        limits: of rows, and of a recording's seconds.
        sample_rate: required sample rate, in Hz.

    Raises:
        MlflowException: the request is invalid; the message names the row (from 0) and what was expected.
    """
    max_bytes = 2 * sample_rate * limits.max_seconds + HEADER_BYTES
    texts = read_sources(columns, limits, -(-max_bytes // 3) * 4, "max_seconds")
    return [_read_recording(text, row, limits, sample_rate) for row, text in enumerate(texts)]


def _read_recording(text: str, row: int, limits: RequestLimits, sample_rate: int) -> NDArray[np.float32]:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(f"row {row}: {SOURCE_COLUMN} must be a WAV or FLAC file in base64, got something else ({error})") from None
    try:
        return read_recording(io.BytesIO(data), sample_rate, limits.max_seconds).samples_N
    except RecordingTooLong as error:
        raise refusal(f"row {row}: {SOURCE_COLUMN} {error} ({limits.place_of('max_seconds')} sets the limit)") from None
    except UserError as error:
        raise refusal(f"row {row}: {SOURCE_COLUMN}, decoded from base64: {error}") from None
