"""Recorder that sends a stage's records to MLflow from a background thread: a slow or lost server never blocks the stage."""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.tracking.mlflow.background_sender import BackgroundSender, Job
from seq2seq_core.tracking.mlflow.curve_journal import CurveJournal
from seq2seq_core.tracking.mlflow.staging import StagingFolder
from seq2seq_core.tracking.mlflow.store import is_network_error, short_reason

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

logger = logging.getLogger(__name__)
SEND_EVERY_SECONDS = 1.0
MOST_POINTS_A_REQUEST = 1000
MOST_PARAMS_A_REQUEST = 100
LONGEST_DIGEST = 36
_FOREIGN_CHARACTERS = re.compile(r"[^\w./ :-]")


@dataclass
class _Points(Job):
    """Points of curves that are sent in one request."""

    points: list[Metric] = field(default_factory=list)

    def describe(self) -> str:
        """See :class:`Job`."""
        steps = [point.step for point in self.points]
        return f"{len(steps)} points of curves (steps {min(steps)} to {max(steps)})"


class MlflowRecorder:
    """Records into one MLflow run.

    Args:
        client: the MLflow client.
        run_id: MLflow's id of the run.
        staging: the folder for copies of unsent files.
        journal: also keeps the points of curves on disk, and knows the points that a killed process has recorded.
        patience_seconds: longest wait of :meth:`flush` and :meth:`close`.
        retry_seconds: pause before a retry while the server does not answer.
    """

    def __init__(
        self,
        client: MlflowClient,
        run_id: str,
        staging: Path,
        journal: CurveJournal | None = None,
        patience_seconds: float = 30.0,
        retry_seconds: float = 10.0,
    ) -> None:
        self.client, self.run_id, self.journal, self.patience_seconds = client, run_id, journal, patience_seconds
        self._sender = BackgroundSender(is_network_error, short_reason, retry_seconds)
        self._staging = StagingFolder(staging)

    def log_params(self, params: Mapping[str, object]) -> None:
        """See :class:`Recorder`."""
        from mlflow.entities import Param

        all_params = [Param(clean_name(name), str(value)) for name, value in params.items()]
        for start in range(0, len(all_params), MOST_PARAMS_A_REQUEST):
            part = all_params[start : start + MOST_PARAMS_A_REQUEST]
            self._submit(f"{len(part)} parameters", lambda part=part: self.client.log_batch(self.run_id, params=part))

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
        from mlflow.entities import Metric

        new = [Metric(name, value, timestamp, step) for name, value in values.items()]
        if not new or self._sender.extend_last(lambda job: _grow(job, new)):
            return
        job = _Points("points of curves", lambda: None, time.monotonic() + SEND_EVERY_SECONDS, new)
        job.send = lambda: self.client.log_batch(self.run_id, metrics=job.points)
        self._sender.submit(job)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """See :class:`Recorder`."""
        from mlflow.entities import RunTag

        all_tags = [RunTag(clean_name(name), str(value)) for name, value in tags.items()]
        for start in range(0, len(all_tags), MOST_PARAMS_A_REQUEST):
            part = all_tags[start : start + MOST_PARAMS_A_REQUEST]
            self._submit(f"{len(part)} tags", lambda part=part: self.client.log_batch(self.run_id, tags=part))

    def log_text(self, text: str, name: str) -> None:
        """See :class:`Recorder`."""
        self._submit(f"text {name}", lambda: self.client.log_text(self.run_id, text, name))

    def log_file(self, path: Path, folder: str = "") -> None:
        """See :class:`Recorder`."""
        # The caller may change or remove the file before it is sent, so a copy is sent.
        try:
            copy = self._staging.copy(path)
        except OSError as error:
            logger.warning("%s is not logged to MLflow: %s", path, error)
            return
        self._submit(f"file {path.name}", lambda: self._send_file(copy, folder))

    def _send_file(self, copy: Path, folder: str) -> None:
        """Uploads a staged file or folder, then removes it."""
        if copy.is_dir():
            self.client.log_artifacts(self.run_id, str(copy), f"{folder}/{copy.name}".strip("/"))
        else:
            self.client.log_artifact(self.run_id, str(copy), folder or None)
        shutil.rmtree(copy.parent)

    def log_dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        """See :class:`Recorder`."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        # MLflow's digests have at most 36 characters; the profile has the full digest.
        dataset = Dataset(
            name, digest[:LONGEST_DIGEST], "local", json.dumps({"uri": str(path)}), profile=json.dumps({"digest": digest})
        )
        inputs = [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])]
        self._submit(f"dataset {name}", lambda: self.client.log_inputs(self.run_id, inputs))

    def flush(self) -> None:
        """See :class:`Recorder`; returns at once while the server does not answer, and the records stay queued."""
        self._sender.drain(self.patience_seconds)

    def close(self, patience_seconds: float | None = None) -> list[str]:
        """Sends the rest and ends the thread; returns descriptions of the unsent records, and warns of them.

        Args:
            patience_seconds: longest wait for MLflow; None for the recorder's own.
        """
        missing = self._sender.drain(self.patience_seconds if patience_seconds is None else patience_seconds, is_patient=True)
        self._sender.close()
        if self.journal is not None:
            self.journal.close()
        self._staging.clear()
        if missing:
            logger.warning("MLflow did not answer to the end; missing there: %s", ", ".join(_count(missing)))
        return missing

    def _submit(self, description: str, send: object) -> None:
        """Queues one request."""
        self._sender.submit(Job(description, send))  # type: ignore[arg-type]


def _grow(job: Job, points: list[Metric]) -> bool:
    """Adds points to a waiting request of points; returns whether they fitted in."""
    if not isinstance(job, _Points) or len(job.points) + len(points) > MOST_POINTS_A_REQUEST:
        return False
    job.points.extend(points)
    return True


def _count(descriptions: Iterable[str]) -> list[str]:
    """Each distinct description with its number of occurrences."""
    found = list(descriptions)
    return [f"{found.count(text)} x {text}" if found.count(text) > 1 else text for text in dict.fromkeys(found)]


def clean_name(name: str) -> str:
    """A name with ``_`` in place of every character that MLflow does not allow."""
    return _FOREIGN_CHARACTERS.sub("_", name)
