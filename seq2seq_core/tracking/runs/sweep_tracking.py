"""Tracking of a sweep: an MLflow parent run with a nested run for each trial, or local files without MLflow.

An interrupted trial resumes in its own run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.recorder import Recorder
from seq2seq_core.tracking.local_recorder import LocalRecorder

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)
RUN_FILE, POINTS_FILE, RECORDS_FILE = "mlflow_run.json", "mlflow_points.jsonl", "records.jsonl"


@dataclass
class TrialRun:
    """The open run of a trial.

    Attributes:
        recorder: receives the trial's curves, metrics and tags.
        has_failed: whether the run ends as failed.
    """

    recorder: Recorder
    has_failed: bool = False


class SweepTracking(Protocol):
    """The recording of a sweep and its trials."""

    @property
    def recorder(self) -> Recorder:
        """The recorder of the sweep as a whole."""

    def open_trial(self, number: int, folder: Path, parameters: Mapping[str, object]) -> TrialRun:
        """Begins or resumes the run of a trial.

        Args:
            number: the trial's number.
            folder: the trial's folder, which stores the run's id.
            parameters: the parameters of a new run.
        """

    def close_trial(self, run: TrialRun, error: BaseException | None) -> None:
        """Ends a trial's run.

        Args:
            run: from :meth:`open_trial`.
            error: the error that interrupted the trial; None where the trial has ended.
        """


@contextmanager
def open_sweep_tracking(name: str, folder: Path, settings: Settings, paths: Paths, *, is_owner: bool) -> Iterator[SweepTracking]:
    """The tracking of a sweep for the ``with`` block.

    Args:
        name: the sweep's name.
        folder: the sweep's folder, which stores the run's id.
        settings: ``runtime.experiment`` names the experiment, section ``register`` the model.
        paths: the workspace, whose MLflow store holds the runs.
        is_owner: whether the sweep's run ends with the block; a worker only finds or begins the run.

    Raises:
        TrackingUnreachable: MLflow does not answer at the start; later failures are only warnings.
    """
    missing = next((package for package in ("mlflow", "psutil") if find_spec(package) is None), None)
    if missing is not None:
        logger.info("%s is not installed: what trials record goes to %s", missing, folder)
        local = LocalTracking(LocalRecorder(folder / RECORDS_FILE))
        try:
            yield local
        finally:
            local.recorder.close()
        return
    tracking = MlflowTracking.open(name, folder, settings, paths)
    try:
        yield tracking
    except BaseException as error:
        tracking.close(error, is_owner)
        raise
    tracking.close(None, is_owner)


@contextmanager
def trial_run(tracking: SweepTracking, number: int, folder: Path, parameters: Mapping[str, object]) -> Iterator[TrialRun]:
    """The run of a trial for the ``with`` block; an error in the block decides the run's status.

    Args:
        tracking: the sweep's tracking.
        number: the trial's number.
        folder: the trial's folder.
        parameters: the trial's settings.
    """
    run = tracking.open_trial(number, folder, parameters)
    try:
        yield run
    except BaseException as error:
        tracking.close_trial(run, error)
        raise
    tracking.close_trial(run, None)


class LocalTracking:
    """Tracking in JSONL files, one in each trial's folder.

    Args:
        recorder: the recorder of the sweep as a whole.
    """

    def __init__(self, recorder: LocalRecorder) -> None:
        self.recorder = recorder

    def open_trial(self, number: int, folder: Path, parameters: Mapping[str, object]) -> TrialRun:
        """See :class:`SweepTracking`."""
        return TrialRun(LocalRecorder(folder / RECORDS_FILE))

    def close_trial(self, run: TrialRun, error: BaseException | None) -> None:
        """See :class:`SweepTracking`."""
        assert isinstance(run.recorder, LocalRecorder)
        run.recorder.close()


class MlflowTracking:
    """Tracking in MLflow runs.

    Args:
        client: the MLflow client.
        run_id: MLflow's id of the sweep's run.
        paths: the workspace; unsent records are kept in ``.s2s``.
        wait_seconds: longest wait for MLflow at the start of a trial.
    """

    def __init__(self, client: MlflowClient, run_id: str, paths: Paths, wait_seconds: float = 0.0) -> None:
        from seq2seq_core.tracking.mlflow.mlflow_recorder import open_recorder

        self.client, self.run_id, self.paths, self.wait_seconds = client, run_id, paths, wait_seconds
        self.recorder = open_recorder(client, run_id, paths)

    @classmethod
    def open(cls, name: str, folder: Path, settings: Settings, paths: Paths) -> MlflowTracking:
        """Begins or resumes the sweep's run; returns its tracking."""
        from seq2seq_core.tracking.mlflow.delivery import connect_and_deliver
        from seq2seq_core.tracking.mlflow.store import exclusive, store_errors
        from seq2seq_core.tracking.runs.graph_run import common_tags, experiment_id

        client = connect_and_deliver(paths, settings.runtime.tracking_wait_seconds)
        with store_errors(paths), exclusive(paths):
            run_id = _known_run(client, folder, paths)
            if run_id is None:
                own = {"kind": "sweep", "sweep": name, "model_name": settings.register_.model_name}
                tags = common_tags(paths, f"s2s sweep {name}") | own | {"workspace": str(paths.root.resolve())}
                run = client.create_run(experiment_id(client, paths, settings), tags=tags, run_name=f"sweep {name}")
                run_id = str(run.info.run_id)
                _remember(run_id, folder, paths)
        return cls(client, run_id, paths, settings.runtime.tracking_wait_seconds)

    def open_trial(self, number: int, folder: Path, parameters: Mapping[str, object]) -> TrialRun:
        """See :class:`SweepTracking`."""
        from seq2seq_core.tracking.mlflow.patience import call_patiently

        return call_patiently(lambda: self._open_trial(number, folder, parameters), self.wait_seconds)

    def _open_trial(self, number: int, folder: Path, parameters: Mapping[str, object]) -> TrialRun:
        """One attempt to begin or resume the run of a trial."""
        from seq2seq_core.tracking.mlflow.continuation import stored_marks
        from seq2seq_core.tracking.mlflow.curve_journal import CurveJournal
        from seq2seq_core.tracking.mlflow.mlflow_recorder import open_recorder
        from seq2seq_core.tracking.mlflow.store import store_errors

        points = folder / POINTS_FILE
        with store_errors(self.paths):
            run_id = _known_run(self.client, folder, self.paths)
            marks: Mapping[str, int] | None = None
            if run_id is not None:
                marks = stored_marks(self.client, self.client.get_run(run_id))
            if run_id is None:
                points.unlink(missing_ok=True)
                run_id = self._begin_trial(number, parameters)
                _remember(run_id, folder, self.paths)
        journal = CurveJournal(points)
        recorder = open_recorder(self.client, run_id, self.paths, journal)
        if marks is not None:
            logger.info("MLflow run %s of trial %d goes on where it was left", run_id, number)
            for point in journal.after(marks):
                recorder.send_points(*point)
        return TrialRun(recorder)

    def close_trial(self, run: TrialRun, error: BaseException | None) -> None:
        """See :class:`SweepTracking`."""
        from seq2seq_core.tracking.mlflow.mlflow_recorder import MlflowRecorder
        from seq2seq_core.tracking.runs.stage_run import end_status

        assert isinstance(run.recorder, MlflowRecorder)
        status = "FAILED" if run.has_failed else end_status(error)
        self._end(run.recorder, status)

    def close(self, error: BaseException | None, is_owner: bool) -> None:
        """Sends the rest, and ends the sweep's run if this process owns it.

        Args:
            error: the error that interrupted the sweep; None where it has ended.
            is_owner: whether this process owns the run.
        """
        from seq2seq_core.tracking.runs.stage_run import end_status

        if is_owner:
            self._end(self.recorder, end_status(error))
        else:
            self.recorder.close()

    def _begin_trial(self, number: int, parameters: Mapping[str, object]) -> str:
        """Begins a trial's run below the sweep's run; returns its id."""
        from mlflow.entities import Param, RunTag

        from seq2seq_core.tracking.runs.graph_run import common_tags

        parent = self.client.get_run(self.run_id)
        tags = common_tags(self.paths, parent.data.tags.get("mlflow.source.name", "s2s sweep"))
        tags |= {"mlflow.parentRunId": self.run_id, "kind": "trial", "trial": str(number)}
        run_id = str(self.client.create_run(parent.info.experiment_id, run_name=f"trial {number}").info.run_id)
        self.client.log_batch(
            run_id,
            params=[Param(name, str(value)) for name, value in parameters.items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )
        return run_id

    def _end(self, recorder: object, status: str) -> None:
        """Sends the rest of a run's records and its status."""
        from seq2seq_core.tracking.mlflow.mlflow_recorder import MlflowRecorder
        from seq2seq_core.tracking.runs.stage_run import HURRIED_SECONDS

        assert isinstance(recorder, MlflowRecorder)
        recorder.close(HURRIED_SECONDS if status == "KILLED" else None, status)


def _known_run(client: MlflowClient, folder: Path, paths: Paths) -> str | None:
    """Sets the run stored in a folder to running and returns its id; None where this store has no such run."""
    from mlflow.exceptions import MlflowException

    from seq2seq_core.tracking.mlflow.address import displayed_uri
    from seq2seq_core.tracking.mlflow.delivery import cancel_ends

    try:
        known: Mapping[str, str] = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        if known["store"] != displayed_uri(paths):
            return None
        run = client.get_run(known["run_id"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    if run.info.lifecycle_stage != "active":
        return None
    cancel_ends(str(run.info.run_id), paths)
    if run.info.status != "RUNNING":
        client.update_run(run.info.run_id, status="RUNNING")
    return str(run.info.run_id)


def _remember(run_id: str, folder: Path, paths: Paths) -> None:
    """Stores a run's id in a folder, for a process that resumes the run."""
    from seq2seq_core.tracking.mlflow.address import displayed_uri

    content = json.dumps({"run_id": run_id, "store": displayed_uri(paths)}, indent=1)
    atomic.write_text(folder / RUN_FILE, content + "\n")
