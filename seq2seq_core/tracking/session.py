"""The recorder of a stage: an MLflow run below the graph's parent run, or a local file where MLflow is not installed.

Both doors open it around every execution of a stage, which is also told of by OpenLineage's events.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from importlib.util import find_spec

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.forecasts.forecast_check import checked
from seq2seq_core.recorder import NullRecorder, Recorder
from seq2seq_core.stage_history.cost_meter import CostMeter
from seq2seq_core.stage_history.executions import remembered
from seq2seq_core.stage_history.stage_reason import StageReason
from seq2seq_core.stage_table import find_stage
from seq2seq_core.tracking.dvc_experiment import find_home
from seq2seq_core.tracking.runs.openlineage_emitter import announced_run

logger = logging.getLogger(__name__)
_ACTIVE_RUN: ContextVar[str | None] = ContextVar("active_run", default=None)


@contextmanager
def open_stage_recorder(stage: str, settings: Settings, paths: Paths, goes_on: bool = True) -> Iterator[Recorder]:
    """The recorder of one execution of a stage, for the ``with`` block; an error in the block decides the run's status.

    An untracked stage gets a recorder that records nothing.

    Args:
        stage: the stage's name.
        settings: the sections that the stage reads become the run's parameters.
        paths: the workspace, whose MLflow store or ``.s2s`` logs hold the records.
        goes_on: whether a killed training resumes in its earlier run.

    Raises:
        TrackingUnreachable: MLflow does not answer when the stage starts; later failures are only warnings.
    """
    home, meter = find_home(paths), CostMeter()
    with remembered(stage, paths, home) as reasons, ExitStack() as stack:
        recorder: Recorder = NullRecorder()
        if find_stage(stage).is_tracked:
            recorder = stack.enter_context(_open_recorder(stage, settings, paths, goes_on, reasons))
        stack.enter_context(checked(stage, settings, paths, home, recorder, meter))
        yield recorder


@contextmanager
def _open_recorder(
    stage: str, settings: Settings, paths: Paths, goes_on: bool, reasons: Sequence[StageReason]
) -> Iterator[Recorder]:
    """The recorder of a stage that is tracked."""
    missing = next((name for name in ("mlflow", "psutil") if find_spec(name) is None), None)
    with announced_run(stage, settings, paths, "" if missing else _graph_key(stage)), ExitStack() as stack:
        if missing is not None:
            yield stack.enter_context(_open_local_recorder(stage, paths, missing))
            return
        from seq2seq_core.tracking.runs.stage_run import open_stage_run

        recorder = stack.enter_context(open_stage_run(stage, settings, paths, goes_on, reasons))
        token = _ACTIVE_RUN.set(recorder.run_id)
        try:
            yield recorder
        finally:
            _ACTIVE_RUN.reset(token)


def active_run_id() -> str | None:
    """The MLflow id of the open stage run in this context, or None."""
    return _ACTIVE_RUN.get()


def _graph_key(stage: str) -> str:
    """The name of the run of the graph that this process belongs to."""
    from seq2seq_core.tracking.runs.graph_run import current_graph_run

    return current_graph_run(stage).key


@contextmanager
def _open_local_recorder(stage: str, paths: Paths, missing: str) -> Iterator[Recorder]:
    """A recorder that writes to the logs of the work folder."""
    from seq2seq_core.tracking.local_recorder import LocalRecorder

    file = paths.logs / f"{stage}.records.jsonl"
    logger.info("%s is not installed: what %s records goes to %s", missing, stage, file)
    recorder = LocalRecorder(file)
    try:
        yield recorder
    finally:
        recorder.close()
