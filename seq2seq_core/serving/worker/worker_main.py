"""A process that decodes batches for the server until the server is gone: ``python -m`` this module."""

from __future__ import annotations

import argparse
import os
import queue
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_core.console import configure_logging, tell_sparingly
from seq2seq_core.errors import UserError
from seq2seq_core.redaction.text_exits import install_redaction
from seq2seq_core.serving.allocator import return_freed_memory
from seq2seq_core.serving.worker.wire import (
    DECODE,
    FAILED,
    READY,
    ConnectionLostError,
    pack_fault,
    pack_predictions,
    receive_message,
    send_message,
    unpack_batch,
)

if TYPE_CHECKING:
    from seq2seq_core.decoding.engines.engine import Engine


REST_SECONDS = 2.0
"""After so long without a batch, the memory of the last ones is given back."""


class Inbox:
    """Receives messages in a thread of its own, so that a batch can be stopped while it is decoded.

    Args:
        connection: to the server. Once the server is gone, this process ends.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.batches: queue.Queue[dict[str, Any]] = queue.Queue()
        self.stopped = -1
        """The last batch that nobody waits for any more."""
        threading.Thread(target=self._receive, name="inbox", daemon=True).start()

    def next_batch(self) -> dict[str, Any]:
        """The next message with a batch; waits for it."""
        try:
            return self.batches.get(timeout=REST_SECONDS)
        except queue.Empty:
            return_freed_memory()
            return self.batches.get()

    def _receive(self) -> None:
        while True:
            try:
                message = receive_message(self.connection)
            except ConnectionLostError:
                os._exit(0)  # whatever is being decoded, nobody will take it
            if message["kind"] == DECODE:
                self.batches.put(message)
            else:
                self.stopped = int(message["batch"])


def main() -> None:
    """Loads a bundle and decodes what the server sends."""
    parser = argparse.ArgumentParser()
    for name, kind in (("--descriptor", int), ("--bundle", Path), ("--device", str), ("--threads", int)):
        parser.add_argument(name, type=kind, required=True)
    asked = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # of the whole group; the server drains, and then closes the connection
    install_redaction()
    configure_logging()
    tell_sparingly()
    inbox = Inbox(socket.socket(fileno=asked.descriptor))
    try:
        _serve(inbox, asked.bundle, asked.device, asked.threads)
    except UserError as error:
        send_message(inbox.connection, {"kind": FAILED, "reason": str(error)})


def _serve(inbox: Inbox, bundle: Path, device: str, threads: int) -> None:
    import torch

    from seq2seq_core.decoding.predictor import Predictor
    from seq2seq_core.serving.batching.predictor_decoder import PredictorDecoder

    if threads:
        torch.set_num_threads(threads)
    predictor = Predictor.from_folder(bundle, device=device)
    decoder = PredictorDecoder(predictor)
    send_message(inbox.connection, {"kind": READY, "engines": [_describe(predictor.engine), _describe(predictor.reference)]})
    while True:
        message = inbox.next_batch()
        send_message(inbox.connection, _decode(message, decoder, inbox))


def _describe(engine: Engine) -> str:
    return f"{engine.label} {engine.compute_type}"


def _decode(message: dict[str, Any], decoder: Any, inbox: Inbox) -> dict[str, Any]:
    """The answer to a batch."""
    number = int(message["batch"])
    rows, mode = unpack_batch(message)
    try:
        return pack_predictions(number, decoder.decode(rows, mode, lambda: inbox.stopped >= number))
    except Exception as error:  # noqa: BLE001 - whatever the search raises, the server tells those who asked
        return pack_fault(number, error)


if __name__ == "__main__":
    main()
