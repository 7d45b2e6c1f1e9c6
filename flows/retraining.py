"""One retrain from beginning to end: data, stages, publishing; each step says what it did."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from flows.dvc.code_stage import refresh_code_digests
from flows.dvc.command import Dvc, refusal
from flows.dvc.locks import clear_dead_locks
from flows.dvc.publish import check_branch, commit_lock, push_data, uncommitted_files
from flows.dvc.refresh import refresh_data
from flows.graph.execution import GraphRun
from flows.graph.stage_execution import StageRunner
from flows.graph.stage_graph import GraphStatus, StageGraph, read_stage_graph, read_status
from flows.graph.stage_tasks import StageTasks
from flows.processes.cancellation import Cancellation
from flows.processes.supervised import StopPolicy
from flows.processes.workspace_lock import workspace_lock
from flows.reports.parent_run import GraphTracking
from flows.reports.summary import RetrainSummary, read_metrics, read_receipt
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import ConfigError, Interrupted, MissingInput, Seq2SeqError, TrackingUnreachable, UserError
from seq2seq_core.stages import code

STOPPING_SECONDS = 6.0
"""On top of the grace: how long the supervisor may take to find that a process cannot be killed."""

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


@dataclass(frozen=True)
class FlowRunInfo:
    """The flow run that a retrain belongs to.

    Attributes:
        id: Prefect's.
        name: Prefect's.
        url: of its page; empty where no server has one.
    """

    id: str
    name: str
    url: str


@dataclass
class Retraining:
    """One retrain of one workspace, within a Prefect flow run.

    Attributes:
        paths: the workspace.
        settings: its parameters.
        flow_run: names it.
        logger: of the flow run.
        forced: stages that run even where they are fresh.
        is_cancelled: whether somebody has cancelled the flow run where no worker will tell this process.
    """

    paths: Paths
    settings: Settings
    flow_run: FlowRunInfo
    logger: Logger
    forced: frozenset[str] = frozenset()
    is_cancelled: Callable[[], bool] = lambda: False
    cancellation: Cancellation = field(default_factory=Cancellation)
    notes: list[str] = field(default_factory=list)
    data_changes: list[str] = field(default_factory=list)
    graph_run: GraphRun | None = None
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.tracking = GraphTracking(self.flow_run.id, self.paths, self.settings)

    def run(self) -> RetrainSummary:
        """What it did; a failure is in the summary, not raised.

        Raises:
            Interrupted: the run was cancelled; :meth:`stop` is to be called.
        """
        failure: Seq2SeqError | None = None
        try:
            with workspace_lock(self.paths) as lock:
                dvc, graph, status = self._prepare(lock)
                failure = self._run_stages(dvc, graph, status)
                if failure is None:
                    self._publish(dvc, graph, status)
        except Interrupted:
            raise
        except Seq2SeqError as error:
            failure = error
        self._close_tracking(failure is not None)
        return self.summarise(failure)

    def stop(self) -> bool:
        """Whether everything that was started has ended, after asking it to; a task in a queue for a slot has not."""
        self.logger.warning("stopping all stages")
        self.cancellation.request()
        patience = self.settings.runtime.flow.cancel_grace_seconds + STOPPING_SECONDS
        has_ended = self.graph_run is None or self.graph_run.abandon(patience)
        self.tracking.close_killed()
        return has_ended

    def summarise(self, failure: Seq2SeqError | None) -> RetrainSummary:
        """The summary of what was done so far.

        Args:
            failure: why it ends, if it failed.
        """
        stages = self.graph_run.reports() if self.graph_run else ()
        present = {report.stage for report in stages if report.state in ("ran", "cached")}
        return RetrainSummary(
            stages=stages,
            failure=failure,
            seconds=time.monotonic() - self.started,
            data_changes=tuple(self.data_changes),
            notes=tuple(self.notes),
            metrics=read_metrics(self.paths) if "evaluate" in present else {},
            receipt=read_receipt(self.paths) if "register" in present else None,
            links=self._links(),
        )

    def _prepare(self, lock: int) -> tuple[Dvc, StageGraph, GraphStatus]:
        """DVC, the graph and what differs from its last run, once the data are up to date and the settings are checked."""
        flow = self.settings.runtime.flow
        if flow.publish.commit_branch:
            check_branch(self.paths.root, flow.publish.commit_branch)
        for line in clear_dead_locks(self.paths.root):
            self._note(line)
        variables = {"S2S_GRAPH_RUN": self.flow_run.id, "S2S_FLOW_RUN_ID": self.flow_run.id}
        dvc = Dvc(self.paths.root, variables, (lock,))
        graph = read_stage_graph(dvc, self._policy())
        check_names(graph, self.settings, self.forced)
        self._refresh(dvc, graph)
        if code.NAME in graph.stages:
            refresh_code_digests(dvc, self.paths, self.settings, self.logger.debug, self._policy())
        self._drop_receipt()
        status = read_status(dvc, self._policy())
        check_inputs(status, self.settings, self.paths)
        return dvc, graph, status

    def _refresh(self, dvc: Dvc, graph: StageGraph) -> None:
        """Brings the data up to date, as configured."""
        settings = self.settings.runtime.flow.refresh
        for line in refresh_data(dvc, settings, graph.sources, self.logger.info, self._policy()):
            self.data_changes.append(line)
            self.logger.info("data: %s", line)

    def _drop_receipt(self) -> None:
        """Has the model registered again where the registry does not have it any more, which DVC cannot see."""
        if not self.paths.receipt.is_file():
            return
        from seq2seq_core.registry.receipts import drop_stale_receipt

        if reason := drop_stale_receipt(self.paths, self.settings):
            self._note(f"the model is registered again: {reason}")

    def _run_stages(self, dvc: Dvc, graph: StageGraph, status: GraphStatus) -> Seq2SeqError | None:
        """Runs what is stale; the first failure, or None."""
        flow = self.settings.runtime.flow
        tasks = StageTasks(StageRunner(dvc, self.paths, flow, self.cancellation, self.forced))
        self.graph_run = GraphRun(graph, status, tasks, flow.max_parallel_stages, self.is_cancelled)
        stale = [stage for stage in graph.stages if not self.graph_run.is_fresh(stage)]
        self.logger.info("stages that may have to run: %s", ", ".join(stale) or "none, all are up to date")
        if stale:
            self.tracking.open({"prefect_flow_run_id": self.flow_run.id, "prefect_flow_run_name": self.flow_run.name})
        self.graph_run.run()
        return self.graph_run.first_failure()

    def _publish(self, dvc: Dvc, graph: StageGraph, status: GraphStatus) -> None:
        """Pushes and commits, as configured."""
        self._record_sources(dvc, graph, status)
        settings = self.settings.runtime.flow.publish
        if settings.push:
            self._note(push_data(dvc, self.logger.info, self._policy()))
        if settings.commit_branch:
            if others := uncommitted_files(self.paths.root, graph.sources):
                self._note(f"not committed, although this run may rest on it: {', '.join(others)}")
            message = f"retrain: {self.flow_run.name}\n\nPrefect flow run {self.flow_run.id}"
            self._note(commit_lock(self.paths.root, settings.commit_branch, graph.sources, message))

    def _record_sources(self, dvc: Dvc, graph: StageGraph, status: GraphStatus) -> None:
        """Brings the ``.dvc`` files of changed data up to date, as ``dvc repro`` does, but only once the stages took the data."""
        for source in graph.sources:
            if source in status.changes:
                before = (self.paths.root / source).read_bytes()
                result = dvc.run(["repro", "--single-item", source], self.logger.debug, self._policy())
                if result.exit_code != 0:
                    raise refusal(["repro", source], result)
                if (self.paths.root / source).read_bytes() != before:
                    self._note(f"{source}: its data has changed; what it says was brought up to date")

    def _close_tracking(self, has_failed: bool) -> None:
        """Ends the parent run in MLflow; the stages are done, so that an MLflow that is away is no failure any more."""
        try:
            self.tracking.close(has_failed)
        except TrackingUnreachable as error:
            self._note(f"the MLflow run of this retrain stays open until the next one: {error}")

    def _links(self) -> dict[str, str]:
        """Where to look further."""
        data_docs = self.paths.data_docs / "index.html"
        places = {
            "MLflow run": self.tracking.address(),
            "Data Docs": str(data_docs) if data_docs.is_file() else "",
            "Flow run": self.flow_run.url,
        }
        return {name: place for name, place in places.items() if place}

    def _policy(self) -> StopPolicy:
        """For DVC commands that are no stages: no time limit, but cancelled with the rest."""
        grace = self.settings.runtime.flow.cancel_grace_seconds
        return StopPolicy(cancel_grace_seconds=grace, cancellation=self.cancellation)

    def _note(self, line: str) -> None:
        self.notes.append(line)
        self.logger.info("%s", line)


def find_paths(workspace: str | None) -> Paths:
    """The workspace that a flow run works in.

    Args:
        workspace: a folder; None: the current one.

    Raises:
        UserError: there is no ``dvc.yaml``.
    """
    root = Path(workspace).resolve() if workspace else Path.cwd()
    if not (root / "dvc.yaml").is_file():
        raise UserError(f"{root}: no dvc.yaml there; expected the folder of a clone of this repository")
    return Paths(root)


def check_names(graph: StageGraph, settings: Settings, forced: frozenset[str]) -> None:
    """Returns when every stage that settings and parameters name is in the graph.

    Args:
        graph: the stages.
        settings: may hold policies of stages.
        forced: stages that are to run.

    Raises:
        ConfigError: a policy is for a stage that there is not.
        UserError: a stage that there is not is to run.
    """
    known = {*graph.stages, *(stage.partition("@")[0] for stage in graph.stages)}
    listed = ", ".join(graph.stages)
    flow = settings.runtime.flow
    given = flow.stages if "stages" in flow.model_fields_set else {}
    if faults := [f"runtime.flow.stages.{name}: must be a stage of dvc.yaml ({listed})" for name in given if name not in known]:
        raise ConfigError(faults, "params.yaml")
    if unknown := sorted(forced - set(graph.stages)):
        raise UserError(f"force: must name stages of dvc.yaml ({listed}), got {', '.join(unknown)}")


def check_inputs(status: GraphStatus, settings: Settings, paths: Paths) -> None:
    """Returns when everything that stages read and no stage makes is there.

    Args:
        status: what DVC misses.
        settings: name the corpus folder.
        paths: the workspace.

    Raises:
        CorpusError: the corpus folder is missing; the words are those of the stage, which DVC would not start.
        MissingInput: something else is.
    """
    if not status.missing_inputs:
        return
    from seq2seq_core.corpus.reading import find_folder

    find_folder(settings.corpus, paths.root)
    path, stage = next(iter(status.missing_inputs.items()))
    raise MissingInput(f"{path}: no such file or folder; the stage {stage} reads it (`dvc pull` fetches what DVC tracks)")
