"""A sweep in MLflow: a parent run and a nested one for each trial, in which an interrupted trial goes on; else local files."""

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
    """The run of a trial while it is open.

    Attributes:
        recorder: receives its parameters, curves and tags.
        has_failed: whether it is to be shown as failed.
    """

    recorder: Recorder
    has_failed: bool = False


class SweepTracking(Protocol):
    """Where a sweep is recorded."""

    @property
    def recorder(self) -> Recorder:
        """Of the sweep as a whole."""

    def open_trial(self, number: int, folder: Path, parameters: Mapping[str, object]) -> TrialRun:
        """The run of a trial, begun, or gone on with where it was left.

        Args:
            number: of the trial.
            folder: of the trial, where it is remembered.
            parameters: of a new run.
        """

    def close_trial(self, run: TrialRun, error: BaseException | None) -> None:
        """Ends a trial's run.

        Args:
            run: as :meth:`open_trial` gave it.
            error: what ended it before the trial was over; None: it is over.
        """


@contextmanager
def open_sweep_tracking(name: str, folder: Path, settings: Settings, paths: Paths, *, is_owner: bool) -> Iterator[SweepTracking]:
    """The tracking of a sweep for the length of a ``with`` block.

    Args:
        name: of the sweep.
        folder: of the sweep, where its run is remembered.
        settings: name the experiment and the model.
        paths: the workspace.
        is_owner: whether the sweep's run ends with the block; a worker only finds or begins it.

    Raises:
        TrackingUnreachable: MLflow does not answer at the beginning; later there are only warnings.
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
    """The run of a trial for the length of a ``with`` block; how the block ends is how the run does.

    Args:
        tracking: of the sweep.
        number: of the trial.
        folder: of the trial.
        parameters: its settings.
    """
    run = tracking.open_trial(number, folder, parameters)
    try:
        yield run
    except BaseException as error:
        tracking.close_trial(run, error)
        raise
    tracking.close_trial(run, None)


class LocalTracking:
    """A JSONL file a trial, in its folder.

    Args:
        recorder: of the sweep.
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
    """Runs in MLflow.

    Args:
        client: of the store.
        run_id: of the sweep's run.
        paths: the workspace.
    """

    def __init__(self, client: MlflowClient, run_id: str, paths: Paths) -> None:
        from seq2seq_core.tracking.mlflow.mlflow_recorder import MlflowRecorder

        self.client, self.run_id, self.paths = client, run_id, paths
        self.recorder = MlflowRecorder(client, run_id, paths.mlflow_staging)

    @classmethod
    def open(cls, name: str, folder: Path, settings: Settings, paths: Paths) -> MlflowTracking:
        """The tracking of a sweep, whose run is running afterwards."""
        from seq2seq_core.tracking.mlflow.store import connect, exclusive, store_errors
        from seq2seq_core.tracking.runs.graph_run import common_tags, experiment_id

        client = connect(paths)
        with store_errors(paths), exclusive(paths):
            run_id = _known_run(client, folder, paths)
            if run_id is None:
                own = {"kind": "sweep", "sweep": name, "model_name": settings.register_.model_name}
                tags = common_tags(paths, f"s2s sweep {name}") | own | {"workspace": str(paths.root.resolve())}
                run = client.create_run(experiment_id(client, paths, settings), tags=tags, run_name=f"sweep {name}")
                run_id = str(run.info.run_id)
                _remember(run_id, folder, paths)
        return cls(client, run_id, paths)

    def open_trial(self, number: int, folder: Path, parameters: Mapping[str, object]) -> TrialRun:
        """See :class:`SweepTracking`."""
        from seq2seq_core.tracking.mlflow.continuation import stored_marks
        from seq2seq_core.tracking.mlflow.curve_journal import CurveJournal
        from seq2seq_core.tracking.mlflow.mlflow_recorder import MlflowRecorder
        from seq2seq_core.tracking.mlflow.store import store_errors

        points = folder / POINTS_FILE
        with store_errors(self.paths):
            run_id = _known_run(self.client, folder, self.paths)
            is_known = run_id is not None
            if run_id is None:
                points.unlink(missing_ok=True)
                run_id = self._begin_trial(number, parameters)
                _remember(run_id, folder, self.paths)
            journal = CurveJournal(points)
            recorder = MlflowRecorder(self.client, run_id, self.paths.mlflow_staging, journal)
            if is_known:
                logger.info("MLflow run %s of trial %d goes on where it was left", run_id, number)
                for point in journal.after(stored_marks(self.client, self.client.get_run(run_id))):
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
        """Sends what is left; where this process owns the sweep's run, ends it.

        Args:
            error: what ended the sweep before it was over; None: it is over.
            is_owner: whether the run ends.
        """
        from seq2seq_core.tracking.runs.stage_run import end_status

        if is_owner:
            self._end(self.recorder, end_status(error))
        else:
            self.recorder.close()

    def _begin_trial(self, number: int, parameters: Mapping[str, object]) -> str:
        """The id of a new run below the sweep's."""
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
        """Sends what is left of a run, and ends it."""
        from mlflow.exceptions import MlflowException

        from seq2seq_core.tracking.mlflow.mlflow_recorder import MlflowRecorder
        from seq2seq_core.tracking.mlflow.store import short_reason
        from seq2seq_core.tracking.runs.stage_run import HURRIED_SECONDS

        assert isinstance(recorder, MlflowRecorder)
        recorder.close(HURRIED_SECONDS if status == "KILLED" else None)
        try:
            self.client.set_terminated(recorder.run_id, status)
        except (MlflowException, OSError) as error:
            logger.warning("MLflow does not know that run %s ended (%s): %s", recorder.run_id, status, short_reason(error))


def _known_run(client: MlflowClient, folder: Path, paths: Paths) -> str | None:
    """The run that a folder remembers, running again; None where there is none in this store."""
    from mlflow.exceptions import MlflowException

    from seq2seq_core.tracking.mlflow.store import displayed_uri

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
    if run.info.status != "RUNNING":
        client.update_run(run.info.run_id, status="RUNNING")
    return str(run.info.run_id)


def _remember(run_id: str, folder: Path, paths: Paths) -> None:
    """Notes a folder's run, for the process that goes on after this one."""
    from seq2seq_core.tracking.mlflow.store import displayed_uri

    content = json.dumps({"run_id": run_id, "store": displayed_uri(paths)}, indent=1)
    atomic.write_text(folder / RUN_FILE, content + "\n")
