"""A decoder whose process is started again when it has died, after growing pauses."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.errors import Seq2SeqError
from seq2seq_core.serving.batching.ticket import DecoderLost, Mode, Row
from seq2seq_core.serving.worker.worker_process import WorkerProcess, WorkerSettings

logger = logging.getLogger(__name__)
LONGEST_PAUSE = 30.0


class WorkerDecoder:
    """Decodes in a worker.

    Args:
        bundle: the bundle's folder.
        settings: how the worker runs.
        on_restart: is told of every restart.

    Raises:
        BundleError: the bundle cannot be loaded.
        EnvironmentFault: the worker ended, or took too long.
    """

    def __init__(self, bundle: Path, settings: WorkerSettings, on_restart: Callable[[], None] = lambda: None) -> None:
        self.bundle, self.settings, self.on_restart = bundle, settings, on_restart
        self.worker = WorkerProcess(bundle, settings)
        self._pause = 0.0
        self._is_closed = threading.Event()
        self._restarting = threading.Lock()

    @property
    def is_alive(self) -> bool:
        """Whether a worker is there to decode."""
        return self.worker.is_alive

    def prepare(self) -> None:
        """Starts another worker where the last has died; returns also when the decoder is closed. Any thread may call it."""
        with self._restarting:
            self._restart()

    def _restart(self) -> None:
        while not self.worker.is_alive and not self._is_closed.wait(self._pause):
            self._pause = min(LONGEST_PAUSE, max(0.5, 2 * self._pause))
            logger.warning("a worker has ended (exit code %s); starting another", self.worker.process.returncode)
            self.on_restart()
            try:
                self.worker.kill()
                self.worker = WorkerProcess(self.bundle, self.settings)
            except (Seq2SeqError, OSError) as error:
                logger.warning("a worker does not start: %s; the next attempt is in %g s", error, self._pause)
        if self._is_closed.is_set():
            self.worker.close()

    def decode(self, rows: Sequence[Row], mode: Mode, stop: Callable[[], bool]) -> list[Prediction]:
        """See :class:`~seq2seq_core.serving.batching.ticket.Decoder`."""
        if self._is_closed.is_set():
            raise DecoderLost("the server is stopping")
        predictions = self.worker.decode(rows, mode, stop)
        self._pause = 0.0
        return predictions

    def close(self) -> None:
        """Ends the worker."""
        self._is_closed.set()
        self.worker.close()
