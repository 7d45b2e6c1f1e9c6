"""A worker as the server sees it: started, asked, and killed where it is stuck."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.errors import BundleError, EnvironmentFault
from seq2seq_core.serving.batching.ticket import DecoderLost, Mode, Row
from seq2seq_core.serving.worker import wire

MODULE = "seq2seq_core.serving.worker.worker_main"
LOOK_SECONDS = 0.05
"""Time between two looks at whether anybody still waits for the batch."""
END_SECONDS = 5.0


@dataclass(frozen=True)
class WorkerSettings:
    """How workers run.

    Attributes:
        device: what decodes, as in ``runtime.device``.
        threads: CPU threads of each; 0: PyTorch's choice.
        start_seconds: longest wait until a bundle is loaded.
        grace_seconds: time that a batch may go on when nobody waits for it any more, before its worker is killed.
    """

    device: str
    threads: int
    start_seconds: float
    grace_seconds: float


class WorkerProcess:
    """A process with a loaded bundle.

    Args:
        bundle: the bundle's folder, whose files were checked.
        settings: how it runs.

    Raises:
        BundleError: the bundle cannot be loaded.
        EnvironmentFault: the process ended, or took too long.

    Attributes:
        engines: what decodes, and the reference that decodes what the first cannot; each with version, device and type of numbers.
    """

    def __init__(self, bundle: Path, settings: WorkerSettings) -> None:
        self.settings = settings
        self.engines: tuple[str, ...] = ()
        self.connection, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", MODULE, "--descriptor", str(theirs.fileno()), "--bundle", str(bundle)]
        command += ["--device", settings.device, "--threads", str(settings.threads)]
        with theirs:
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self._batches = 0
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def _wait_until_ready(self) -> None:
        ready, _, _ = select.select([self.connection], [], [], self.settings.start_seconds)
        if not ready:
            raise EnvironmentFault(f"a worker did not load its model within {self.settings.start_seconds:g} s")
        try:
            message = wire.receive_message(self.connection)
        except wire.ConnectionLostError:
            raise EnvironmentFault("a worker ended while it loaded its model") from None
        if message["kind"] == wire.FAILED:
            raise BundleError(message["reason"])
        self.engines = tuple(message["engines"])

    def decode(self, rows: Sequence[Row], mode: Mode, stop: Callable[[], bool]) -> list[Prediction]:
        """The prediction of each row.

        Args:
            rows: the rows.
            mode: how to decode them.
            stop: becomes true when nobody waits any more.

        Raises:
            DecoderLost: the process died, or was killed because it did not stop.
            DecodingStopped: nobody waits any more.
        """
        self._batches += 1
        try:
            wire.send_message(self.connection, wire.pack_batch(self._batches, rows, mode))
            message = self._wait_for_answer(stop)
        except wire.ConnectionLostError:
            self.kill()
            raise DecoderLost("the process that decoded this request ended") from None
        if message["kind"] == wire.FAULT:
            raise wire.unpack_fault(message)
        return wire.unpack_predictions(message)

    def _wait_for_answer(self, stop: Callable[[], bool]) -> dict[str, object]:
        deadline = None
        while True:
            try:
                ready, _, _ = select.select([self.connection], [], [], LOOK_SECONDS)
            except (OSError, ValueError) as error:  # another thread has closed it
                raise wire.ConnectionLostError(str(error)) from error
            if ready:
                return wire.receive_message(self.connection)
            if deadline is None and stop():
                wire.send_message(self.connection, {"kind": wire.STOP, "batch": self._batches})
                deadline = time.monotonic() + self.settings.grace_seconds
            if deadline is not None and time.monotonic() > deadline:
                raise wire.ConnectionLostError("the worker does not stop")

    def kill(self) -> None:
        """Ends the process at once; killing it twice is harmless."""
        self.process.kill()
        self.process.wait()
        self.connection.close()

    def close(self) -> None:
        """Lets the process end, which it does once its connection is closed."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        self.kill()
