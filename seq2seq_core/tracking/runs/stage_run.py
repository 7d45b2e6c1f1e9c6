"""The MLflow run of one execution of a stage: parameters, lineage, records and final status."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import Interrupted, Seq2SeqError
from seq2seq_core.stage_history.stage_reason import StageReason, reasons_line, reasons_page
from seq2seq_core.stage_table import find_stage
from seq2seq_core.tracking.mlflow.continuation import find_unfinished, forget, remember, stored_marks
from seq2seq_core.tracking.mlflow.delivery import cancel_ends, connect_and_deliver
from seq2seq_core.tracking.mlflow.mlflow_recorder import MlflowRecorder, open_recorder
from seq2seq_core.tracking.mlflow.patience import call_patiently
from seq2seq_core.tracking.mlflow.store import short_reason, store_errors
from seq2seq_core.tracking.mlflow.system_metrics import sample_machine
from seq2seq_core.tracking.process_identity import this_process
from seq2seq_core.tracking.runs.declared_graph import is_last_run
from seq2seq_core.tracking.runs.experiment_page import NOTE_TAG
from seq2seq_core.tracking.runs.graph_run import (
    GraphRunKey,
    close_parent,
    common_tags,
    current_graph_run,
    find_or_open_parent,
)
from seq2seq_core.tracking.runs.graph_summary import TRAINED_TAG, WHY_TAG
from seq2seq_core.tracking.runs.lineage import upstream_digests
from seq2seq_core.tracking.runs.machine import machine_tag
from seq2seq_core.tracking.runs.parameters import log_parameters, stage_parameters

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)
HURRIED_SECONDS = 5.0
FLOW_RUN_VARIABLES = ("S2S_FLOW_RUN_ID", "PREFECT__FLOW_RUN_ID")


@contextmanager
def open_stage_run(
    stage: str, settings: Settings, paths: Paths, goes_on: bool = True, reasons: Sequence[StageReason] = ()
) -> Iterator[MlflowRecorder]:
    """A recorder for the stage's own MLflow run; a killed training resumes in its earlier run.

    Args:
        stage: the stage's name.
        settings: the sections that the stage reads become the run's parameters.
        paths: the workspace, whose MLflow store holds the run.
        goes_on: whether a killed training resumes; False to begin anew, in a new run.
        reasons: why the stage runs.

    Raises:
        TrackingUnreachable: MLflow does not answer when the stage starts, for ``runtime.tracking_wait_seconds``.
    """
    graph = current_graph_run(stage)
    wait_seconds = settings.runtime.tracking_wait_seconds
    opened = call_patiently(lambda: _open(stage, settings, paths, graph, goes_on), wait_seconds)
    journal = remember(opened.run_id, settings, paths, is_new=not opened.is_continued) if stage == "train" else None
    recorder = open_recorder(opened.client, opened.run_id, paths, journal)
    if opened.is_continued and journal is not None:
        for point in journal.after(opened.marks):
            recorder.send_points(*point)
        journal.skip(opened.marks)
    if reasons:
        recorder.set_tags({WHY_TAG: reasons_line(reasons)} | ({} if opened.is_continued else {NOTE_TAG: reasons_page(reasons)}))
    sample_seconds = settings.runtime.system_metrics_seconds if stage == "train" else 0.0
    try:
        with sample_machine(recorder, sample_seconds, opened.marks):
            yield recorder
    except BaseException as error:
        _end(recorder, graph, opened.parent_id, stage, paths, error)
        raise
    _end(recorder, graph, opened.parent_id, stage, paths, None)


@dataclass(frozen=True)
class _OpenedRun:
    """The run of a stage that begins.

    Attributes:
        client: the MLflow client.
        parent_id: MLflow's id of the parent run.
        run_id: MLflow's id of the stage's run.
        is_continued: whether it is the run of an unfinished training.
        marks: the last step of each curve that a continued run has, by metric name.
    """

    client: MlflowClient
    parent_id: str
    run_id: str
    is_continued: bool
    marks: Mapping[str, int]


def _open(stage: str, settings: Settings, paths: Paths, graph: GraphRunKey, goes_on: bool) -> _OpenedRun:
    """One attempt to begin the stage's run or to continue that of an unfinished training."""
    client = connect_and_deliver(paths, 0.0)
    with store_errors(paths):
        parent_id = find_or_open_parent(client, graph, paths, settings, {})
        unfinished = find_unfinished(client, settings, paths) if stage == "train" and goes_on else None
        if unfinished is None:
            return _OpenedRun(client, parent_id, _start(client, stage, settings, paths, parent_id), False, {})
        return _OpenedRun(
            client, parent_id, _continue(client, unfinished, paths, parent_id), True, stored_marks(client, unfinished)
        )


def _start(client: MlflowClient, stage: str, settings: Settings, paths: Paths, parent_id: str) -> str:
    """Starts a new run of the stage below the parent run; returns its id."""
    from mlflow.entities import RunTag

    tags = common_tags(paths, f"s2s {stage}") | {"mlflow.parentRunId": parent_id, "stage": stage, "kind": "stage"}
    tags |= upstream_digests(paths.root, stage) | machine_tag(settings.runtime)
    if flow_run := next((os.environ[name] for name in FLOW_RUN_VARIABLES if os.environ.get(name)), None):
        tags["prefect_flow_run_id"] = flow_run
    experiment = client.get_run(parent_id).info.experiment_id
    run_id = str(client.create_run(experiment, run_name=stage).info.run_id)
    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])
    log_parameters(client, run_id, stage_parameters(stage, settings))
    return run_id


def _continue(client: MlflowClient, run: Run, paths: Paths, parent_id: str) -> str:
    """Sets an unfinished run to running and moves it below the current parent run; returns its id."""
    run_id = str(run.info.run_id)
    logger.info("MLflow run %s goes on where it was left", run_id)
    cancel_ends(run_id, paths)
    client.update_run(run_id, status="RUNNING")
    if run.data.tags.get("mlflow.parentRunId") != parent_id:
        client.set_tag(run_id, "mlflow.parentRunId", parent_id)
    for name in {"failure", "mlflow.note.content"} & run.data.tags.keys():
        client.delete_tag(run_id, name)
    client.set_tag(run_id, "resumed", str(int(run.data.tags.get("resumed", "0")) + 1))
    return run_id


def _end(
    recorder: MlflowRecorder, graph: GraphRunKey, parent_id: str, stage: str, paths: Paths, error: BaseException | None
) -> None:
    """Sends the rest and the run's status; ends the parent run too where the stage was its last."""
    from mlflow.exceptions import MlflowException

    status = end_status(error)
    if error is not None and status == "FAILED":
        reason = f"{type(error).__name__}: {error}"
        recorder.set_tags({"failure": reason, NOTE_TAG: f"**Failed**\n\n```text\n{reason}\n```\n"})
    name = find_stage(stage).bundle
    bundle = getattr(paths, name) if name else None
    if status == "FINISHED" and bundle is not None and bundle.is_dir():
        from seq2seq_core.bundle.bundle_folder import bundle_digest
        from seq2seq_core.bundle.config_file import read_config

        trained = read_config(bundle).trained_digest
        recorder.set_tags({"bundle_digest": bundle_digest(bundle)} | ({TRAINED_TAG: trained} if trained else {}))
    # A stopped stage has little time before it is killed.
    recorder.close(None if status != "KILLED" else HURRIED_SECONDS, status)
    if recorder.journal is not None and status == "FINISHED":
        forget(paths)
    if not recorder.is_ended or not owns_end(stage, graph, status, paths.root):
        return  # the next run sends what is missing, then closes the parent run
    try:
        with store_errors(paths):
            close_parent(recorder.client, recorder.client.get_run(parent_id), None, paths)
    except (Seq2SeqError, MlflowException, OSError) as store_error:
        logger.warning("the parent run in MLflow stays open until the next run: %s", short_reason(store_error))


def end_status(error: BaseException | None) -> str:
    """MLflow's status of a run that ended with this error; None means no error."""
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "FINISHED"
    return "KILLED" if isinstance(error, (Interrupted, KeyboardInterrupt)) else "FAILED"


def owns_end(stage: str, graph: GraphRunKey, status: str, root: Path) -> bool:
    """Whether the graph run ends with this stage: the stage failed, is the last one, or runs without ``dvc`` or flow.

    A flow closes its graph run itself. Where several stages are the last of their branches, the next one reopens the run.
    """
    if graph.door == "retrain":
        return False
    return status != "FINISHED" or graph.owner == this_process() or is_last_run(stage, root)
