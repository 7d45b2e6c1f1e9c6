"""Recordings in a request: WAV or FLAC files in base64, not paths, because a path would name a file on the server."""

from __future__ import annotations

import base64
import binascii
import io

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seq2seq_core.audio.sound_file import RecordingTooLong, read_recording
from seq2seq_core.errors import UserError
from seq2seq_core.serving.request import MAX_SECONDS_VARIABLE, SOURCE_COLUMN, read_sources, refusal

HEADER_BYTES = 65_536
"""Room for the parts of a file other than its samples."""


def read_recordings(frame: pd.DataFrame, max_rows: int, max_seconds: int, sample_rate: int) -> list[NDArray[np.float32]]:
    """The samples of each recording of a request, from -1 to below 1.

    Args:
        frame: the request, with a WAV or FLAC file in base64 in each row of the column ``source``.
        max_rows: maximum number of rows of a request.
        max_seconds: maximum length of a recording, in seconds.
        sample_rate: required sample rate, in Hz.

    Raises:
        MlflowException: the request is invalid; the message names the row (from 0) and what was expected.
    """
    max_bytes = 2 * sample_rate * max_seconds + HEADER_BYTES
    texts = read_sources(frame, max_rows, -(-max_bytes // 3) * 4, MAX_SECONDS_VARIABLE)
    return [_read_recording(text, row, max_seconds, sample_rate) for row, text in enumerate(texts)]


def _read_recording(text: str, row: int, max_seconds: int, sample_rate: int) -> NDArray[np.float32]:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(f"row {row}: {SOURCE_COLUMN} must be a WAV or FLAC file in base64, got something else ({error})") from None
    try:
        return read_recording(io.BytesIO(data), sample_rate, max_seconds).samples_N
    except RecordingTooLong as error:
        raise refusal(f"row {row}: {SOURCE_COLUMN} {error} ({MAX_SECONDS_VARIABLE} sets the limit)") from None
    except UserError as error:
        raise refusal(f"row {row}: {SOURCE_COLUMN}, decoded from base64: {error}") from None
