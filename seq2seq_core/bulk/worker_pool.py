"""Worker processes that decode the batches of a bulk job; a row that cannot be decoded fails alone."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from seq2seq_core.bulk.row_block import RowResult
from seq2seq_core.errors import DecodingStopped, UserError
from seq2seq_core.serving.batching.ticket import DecoderLost, Mode, Row
from seq2seq_core.serving.worker.worker_process import WorkerProcess, WorkerSettings

logger = logging.getLogger(__name__)


class WorkerPool:
    """Processes with a loaded bundle each, and a thread for each that feeds it.

    Args:
        bundle: the bundle's folder, whose files were checked.
        settings: how they run.
        count: their number.

    Raises:
        BundleError: the bundle cannot be loaded.
        EnvironmentFault: a process ended, or took too long.
    """

    def __init__(self, bundle: Path, settings: WorkerSettings, count: int) -> None:
        self.bundle, self.settings = bundle, settings
        self._free: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()
        self._workers: list[WorkerProcess] = []
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="bulk")
        try:
            for start in [self._threads.submit(self._start) for _ in range(count)]:
                self._free.put(start.result())
        except BaseException:
            self.close()
            raise

    @property
    def engines(self) -> tuple[str, ...]:
        """See :class:`~seq2seq_core.serving.worker.worker_process.WorkerProcess`."""
        return self._workers[0].engines

    def submit(self, rows: Sequence[Row], mode: Mode) -> Future[list[RowResult]]:
        """Decodes a batch as soon as a worker is free.

        Args:
            rows: its rows.
            mode: how to decode them.
        """
        return self._threads.submit(self._decode, rows, mode)

    def close(self) -> None:
        """Ends all workers at once, whatever they are decoding."""
        self._is_closed.set()
        with self._lock:
            for worker in self._workers:
                worker.kill()
        self._threads.shutdown(cancel_futures=True)

    def _start(self) -> WorkerProcess:
        """Starts a worker, which the end of the pool also ends."""
        worker = WorkerProcess(self.bundle, self.settings)
        with self._lock:
            self._workers.append(worker)
            if self._is_closed.is_set():
                worker.kill()
        return worker

    def _decode(self, rows: Sequence[Row], mode: Mode) -> list[RowResult]:
        worker = self._free.get()

        def ask(part: Sequence[Row]) -> list[RowResult]:
            nonlocal worker
            try:
                return [RowResult(found.hypotheses) for found in worker.decode(part, mode, self._is_closed.is_set)]
            except DecoderLost:
                if self._is_closed.is_set():
                    raise DecodingStopped("the job was stopped") from None
                logger.warning("a worker has ended (exit code %s); starting another", worker.process.returncode)
                worker = self._start()
                raise

        try:
            return isolate_faults(rows, ask)
        finally:
            self._free.put(worker)


def isolate_faults(rows: Sequence[Row], ask: Callable[[Sequence[Row]], list[RowResult]], was_lost: bool = False) -> list[RowResult]:
    """The result of each row of a batch; of a batch that fails, each half is tried by itself, down to the rows at fault.

    Args:
        rows: the batch.
        ask: decodes rows.
        was_lost: whether the process that decoded this batch has died before. The batch is tried once more then, because
            something else may have killed it.
    """
    try:
        return ask(rows)
    except DecoderLost as error:
        if not was_lost:
            return isolate_faults(rows, ask, was_lost=True)
        reason = f"{error}, twice"
    except (UserError, RuntimeError) as error:
        reason = str(error).removeprefix("source 1: ")
    if len(rows) == 1:
        return [RowResult(error=reason or "decoding failed")]
    half = len(rows) // 2
    return isolate_faults(rows[:half], ask) + isolate_faults(rows[half:], ask)
