"""Messages between the server and its workers: JSON objects behind their length, over a socket. No pickle."""

from __future__ import annotations

import base64
import json
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.prediction import Alignment, Prediction, TextHypothesis
from seq2seq_core.errors import DecodingStopped, UserError
from seq2seq_core.serving.batching.ticket import Mode, Row

if TYPE_CHECKING:
    from seq2seq_core.decoding.source_encoder import SourceItem

_LENGTH = struct.Struct(">I")
READY, FAILED, DECODE, STOP, ANSWERS, FAULT = "ready", "failed", "decode", "stop", "answers", "fault"
"""Kinds of messages: the first two at a worker's start; the rest name the batch that they are about."""
FAULTS: dict[str, type[Exception]] = {"user": UserError, "stopped": DecodingStopped}
"""Errors of a search that the server tells apart."""


class ConnectionLostError(Exception):
    """The other side is gone."""


def send_message(connection: socket.socket, message: Mapping[str, Any]) -> None:
    """Sends a message.

    Args:
        connection: to the other process.
        message: what JSON can hold; texts of valid Unicode.

    Raises:
        ConnectionLostError: the other side is gone.
    """
    data = json.dumps(message, ensure_ascii=False).encode("utf-8")
    try:
        connection.sendall(_LENGTH.pack(len(data)) + data)
    except OSError as error:
        raise ConnectionLostError(str(error)) from error


def receive_message(connection: socket.socket) -> dict[str, Any]:
    """The next message.

    Args:
        connection: to the other process.

    Raises:
        ConnectionLostError: the other side is gone.
    """
    (length,) = _LENGTH.unpack(_receive_bytes(connection, _LENGTH.size))
    found: dict[str, Any] = json.loads(_receive_bytes(connection, length))
    return found


def _receive_bytes(connection: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        try:
            part = connection.recv(min(1 << 20, count - len(data)))
        except OSError as error:
            raise ConnectionLostError(str(error)) from error
        if not part:
            raise ConnectionLostError("the connection was closed")
        data += part
    return bytes(data)


def pack_batch(number: int, rows: Sequence[Row], mode: Mode) -> dict[str, Any]:
    """The message that asks for a batch.

    Args:
        number: names the batch.
        rows: its rows.
        mode: how it is decoded.
    """
    return {
        "kind": DECODE, "batch": number, "sources": [_pack_source(row.source) for row in rows],
        "tags": [dict(row.tags) for row in rows],
        "options": mode.options.model_dump(), "alignments": mode.keep_alignments,
        "phrases": [None if row.phrases is None else [row.phrases.force, row.phrases.forbid] for row in rows],
    }  # fmt: skip


def _pack_source(source: SourceItem) -> str | dict[str, Any]:
    """A text as it is; the samples of a recording, and the frames of a picture with their width, in base64."""
    if isinstance(source, str):
        return source
    assert isinstance(source, np.ndarray), "a recording is an array of samples, a picture one of frames"
    if source.ndim == 2:
        frames = np.ascontiguousarray(source, dtype=np.uint8).tobytes()
        return {"frames": base64.b64encode(frames).decode("ascii"), "width": source.shape[1]}
    return {"samples": base64.b64encode(np.ascontiguousarray(source, dtype="<f4").tobytes()).decode("ascii")}


def unpack_batch(message: Mapping[str, Any]) -> tuple[list[Row], Mode]:
    """The rows of a batch, without their lengths, and how it is decoded.

    Args:
        message: made by :func:`pack_batch`.
    """
    rows = [
        Row(_unpack_source(one), own, 0, None if asked is None else Phrases(tuple(asked[0]), tuple(asked[1])))
        for one, own, asked in zip(message["sources"], message["tags"], message["phrases"], strict=True)
    ]
    return rows, Mode(DecodingOptions.model_validate(message["options"]), message["alignments"])


def _unpack_source(packed: Any) -> SourceItem:
    if isinstance(packed, str):
        return packed
    if "frames" in packed:
        return np.frombuffer(base64.b64decode(packed["frames"]), dtype=np.uint8).reshape(-1, packed["width"])
    return np.frombuffer(base64.b64decode(packed["samples"]), dtype="<f4")


def pack_predictions(number: int, predictions: Sequence[Prediction]) -> dict[str, Any]:
    """The message that answers a batch.

    Args:
        number: names the batch.
        predictions: one for each row.
    """
    return {"kind": ANSWERS, "batch": number, "predictions": [list(map(_pack_hypothesis, one.hypotheses)) for one in predictions]}


def _pack_hypothesis(hypothesis: TextHypothesis) -> dict[str, Any]:
    alignment = hypothesis.alignment
    packed = None if alignment is None else {**alignment._asdict(), "weights_TS": alignment.weights_TS.tolist()}
    return {**asdict(hypothesis), "alignment": packed}


def pack_fault(number: int, error: Exception) -> dict[str, Any]:
    """The message that a batch has failed.

    Args:
        number: names the batch.
        error: what the search raised.
    """
    name = next((name for name, kind in FAULTS.items() if isinstance(error, kind)), "")
    return {"kind": FAULT, "batch": number, "name": name, "reason": str(error)}


def unpack_fault(message: Mapping[str, Any]) -> Exception:
    """The error of a failed batch; of those that are not told apart, a ``RuntimeError``.

    Args:
        message: made by :func:`pack_fault`.
    """
    return FAULTS.get(message["name"], RuntimeError)(message["reason"])


def unpack_predictions(message: Mapping[str, Any]) -> list[Prediction]:
    """The prediction of each row of a batch.

    Args:
        message: made by :func:`pack_predictions`.
    """
    return [Prediction(tuple(map(_unpack_hypothesis, one))) for one in message["predictions"]]


def _unpack_hypothesis(packed: Mapping[str, Any]) -> TextHypothesis:
    alignment = packed["alignment"]
    if alignment is not None:
        alignment = Alignment(**{**alignment, "weights_TS": np.asarray(alignment["weights_TS"], dtype=np.float32)})
    return TextHypothesis(**{**packed, "alignment": alignment})
