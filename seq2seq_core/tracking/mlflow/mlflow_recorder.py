"""Recorder that sends a stage's records to MLflow from a background thread: a slow or lost server never blocks the stage."""

from __future__ import annotations

import logging
import re
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.redaction.redactor import redact_values
from seq2seq_core.tracking.dvc_experiment import find_home
from seq2seq_core.tracking.mlflow.address import displayed_uri
from seq2seq_core.tracking.mlflow.background_sender import BackgroundSender, Job
from seq2seq_core.tracking.mlflow.curve_journal import CurveJournal
from seq2seq_core.tracking.mlflow.outbox import Addressee, Outbox
from seq2seq_core.tracking.mlflow.records import MOST_POINTS_A_REQUEST, Kind, Record, count_texts, send_record
from seq2seq_core.tracking.mlflow.request_errors import is_temporary
from seq2seq_core.tracking.mlflow.store import is_answering, short_reason

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)
SEND_EVERY_SECONDS = 1.0
MOST_PARAMS_A_REQUEST = 100
_FOREIGN_CHARACTERS = re.compile(r"[^\w./ :-]")


@dataclass
class _RecordJob(Job):
    """A record to send, and its first and last number in the outbox."""

    record: Record = field(default_factory=lambda: Record("tags", {}))
    first: int = 0
    last: int = 0

    def describe(self) -> str:
        """See :class:`Job`."""
        return self.record.describe()


class MlflowRecorder:
    """Records into one MLflow run.

    Args:
        client: the MLflow client.
        run_id: MLflow's id of the run.
        outbox: keeps unsent records on the disk.
        journal: also keeps the points of curves on disk, and knows the points that a killed process has recorded.
        patience_seconds: longest wait of :meth:`flush` and :meth:`close`.
        retry_seconds: pause before a retry while the server does not answer.

    Attributes:
        is_ended: whether the run has ended in MLflow.
    """

    keeps_files = True

    def __init__(
        self,
        client: MlflowClient,
        run_id: str,
        outbox: Outbox,
        journal: CurveJournal | None = None,
        patience_seconds: float = 30.0,
        retry_seconds: float = 10.0,
    ) -> None:
        self.client, self.run_id, self.journal, self.patience_seconds = client, run_id, journal, patience_seconds
        self._sender = BackgroundSender(is_temporary, short_reason, retry_seconds, lambda: is_answering(client))
        self.is_ended = False
        self._outbox, self._order = outbox, threading.Lock()

    def log_params(self, params: Mapping[str, object]) -> None:
        """See :class:`Recorder`."""
        self._submit_texts("params", params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """See :class:`Recorder`."""
        now = time.time_ns() // 1_000_000
        values = {clean_name(name): float(value) for name, value in metrics.items()}
        if self.journal is not None and step is not None:
            values = self.journal.append(step, now, values)
        self.send_points(step or 0, now, values)

    def send_points(self, step: int, timestamp: int, values: Mapping[str, float]) -> None:
        """Adds points of curves, one per metric, to the next request, without the journal.

        Args:
            step: number of the update.
            timestamp: milliseconds since 1970.
            values: by metric name.
        """
        if values:
            points = [[name, value, timestamp, step] for name, value in values.items()]
            self._submit("points", {"points": points}, SEND_EVERY_SECONDS)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """See :class:`Recorder`."""
        self._submit_texts("tags", tags)

    def log_text(self, text: str, name: str) -> None:
        """See :class:`Recorder`."""
        self._submit("text", {"name": name, "text": text})

    def log_file(self, path: Path, folder: str = "") -> None:
        """See :class:`Recorder`."""
        # The caller may change or remove the file before it is sent, so a copy is sent.
        try:
            copy = self._outbox.copy(path)
        except OSError as error:
            logger.warning("%s is not logged to MLflow: %s", path, error)
            return
        self._submit("file", {"copy": copy, "folder": folder})

    def log_dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        """See :class:`Recorder`."""
        self._submit("dataset", {"name": name, "path": str(path), "digest": digest, "context": context})

    def flush(self) -> None:
        """See :class:`Recorder`; returns at once while the server does not answer, and the records stay queued."""
        self._sender.drain(self.patience_seconds)

    def close(self, patience_seconds: float | None = None, status: str | None = None) -> list[str]:
        """Sends the rest and ends the thread; returns descriptions of the unsent records, which the next run sends.

        Args:
            patience_seconds: longest wait for MLflow; None for the recorder's own.
            status: ends the run with this status, such as ``FINISHED``; None where the run goes on.
        """
        if status is not None:
            self._submit("end", {"status": status, "end_time": time.time_ns() // 1_000_000})
        missing = self._sender.drain(self.patience_seconds if patience_seconds is None else patience_seconds, is_patient=True)
        self._sender.close()
        if self.journal is not None:
            self.journal.close()
        self._outbox.close(is_sent=not missing)
        if missing:
            logger.warning("MLflow has not taken everything; what it misses follows with the next run: %s", count_texts(missing))
        return missing

    def _submit_texts(self, kind: Kind, values: Mapping[str, object]) -> None:
        """Queues parameters or tags, as many in a request as MLflow allows."""
        texts = [(clean_name(name), str(value)) for name, value in values.items()]
        for start in range(0, len(texts), MOST_PARAMS_A_REQUEST):
            self._submit(kind, dict(texts[start : start + MOST_PARAMS_A_REQUEST]))

    def _submit(self, kind: Kind, content: dict[str, Any], growing_seconds: float = 0.0) -> None:
        """Writes a record without secrets to the outbox and queues its request; points join a waiting request of points."""
        record = Record(kind, redact_values(content))
        with self._order:  # the numbers in the outbox have the order of the queue
            number = self._outbox.add(record)
            if kind == "points" and self._sender.extend_last(lambda job: _grow(job, record, number)):
                return
            folder = self._outbox.folder or Path()
            job = _RecordJob(kind, lambda: None, time.monotonic() + growing_seconds, record=record, first=number, last=number)
            job.send = lambda: send_record(self.client, self.run_id, job.record, folder)
            job.settle = lambda: self._settle(job, folder)
            self._sender.submit(job)

    def _settle(self, job: _RecordJob, folder: Path) -> None:
        """Removes what was sent or rejected from the disk."""
        self._outbox.mark_sent(job.first, job.last)
        self.is_ended = self.is_ended or job.record.kind == "end"
        if job.record.kind == "file":
            shutil.rmtree((folder / job.record.content["copy"]).parent, ignore_errors=True)


def open_recorder(client: MlflowClient, run_id: str, paths: Paths, journal: CurveJournal | None = None) -> MlflowRecorder:
    """A recorder into a run of the workspace's store.

    Args:
        client: the MLflow client.
        run_id: MLflow's id of the run.
        paths: the workspace; unsent records are kept in ``.s2s/mlflow_outbox``.
        journal: as for :class:`MlflowRecorder`.
    """
    outbox = Outbox(find_home(paths).mlflow_outbox, Addressee(displayed_uri(paths), run_id))
    return MlflowRecorder(client, run_id, outbox, journal)


def _grow(job: Job, record: Record, number: int) -> bool:
    """Adds points to a waiting request of points; returns whether they fitted in."""
    if not isinstance(job, _RecordJob) or job.record.kind != "points":
        return False
    points, new = job.record.content["points"], record.content["points"]
    if len(points) + len(new) > MOST_POINTS_A_REQUEST:
        return False
    points.extend(new)
    job.last = number
    return True


def clean_name(name: str) -> str:
    """A name with ``_`` in place of every character that MLflow does not allow."""
    return _FOREIGN_CHARACTERS.sub("_", name)
