"""One retrain from start to end: refresh of the data, stages, publication."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from flows.dvc.code_stage import refresh_code_digests
from flows.dvc.command import Dvc, refusal
from flows.dvc.locks import clear_dead_locks
from flows.dvc.publish import check_branch, commit_lock, push_data, uncommitted_files
from flows.dvc.refresh import refresh_data
from flows.dvc.repository import check_repository
from flows.dvc.restore import restore_outputs
from flows.graph.execution import GraphRun
from flows.graph.outputs_elsewhere import forgive_missing
from flows.graph.preconditions import check_inputs, check_names
from flows.graph.stage_changes import explain_changes
from flows.graph.stage_execution import StageReport, StageRunner
from flows.graph.stage_graph import GraphStatus, StageGraph, read_stage_graph, read_status
from flows.graph.stage_tasks import StageTasks
from flows.machines.handover import pooled_stages, prepare_handover
from flows.machines.pool_runner import PoolRunner
from flows.processes.cancellation import Cancellation
from flows.processes.supervised import StopPolicy
from flows.reports.parent_run import GraphTracking
from flows.reports.run_end import FlowRunInfo
from flows.reports.score_table import compare_scores, read_metrics
from flows.reports.summary import RetrainSummary, read_corpus_lines, read_drift_lines, read_receipt
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import Logger
from seq2seq_core.dvc_files import read_lock
from seq2seq_core.errors import Interrupted, Seq2SeqError, UserError, first_line
from seq2seq_core.stage_table import CODE, WORKING_STAGES

STOPPING_SECONDS = 6.0
"""Time after the grace period in which the supervisor finds out that a process cannot be killed."""


@dataclass
class Retraining:
    """One retrain of one workspace, within a Prefect flow run.

    Attributes:
        paths: the workspace; the stages and DVC write its outputs.
        settings: the workspace's settings.
        flow_run: the Prefect flow run.
        logger: the flow run's logger.
        lock: the descriptor of the workspace's lock, which the stages keep as long as they run.
        forced: stages that run even where they are fresh.
        is_cancelled: whether the flow run was cancelled on the server and no worker sends SIGTERM.
        has_own_settings: whether settings differ from the workspace's own for this run only; nothing is committed then.
        notes: lines for the summary.
    """

    paths: Paths
    settings: Settings
    flow_run: FlowRunInfo
    logger: Logger
    lock: int
    forced: frozenset[str] = frozenset()
    is_cancelled: Callable[[], bool] = lambda: False
    has_own_settings: bool = False
    notes: list[str] = field(default_factory=list)
    cancellation: Cancellation = field(default_factory=Cancellation)
    data_changes: list[str] = field(default_factory=list)
    early: dict[str, StageReport] = field(default_factory=dict)
    graph_run: GraphRun | None = None
    pooled: frozenset[str] = frozenset()
    pools: PoolRunner | None = None
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.tracking = GraphTracking(self.flow_run.id, self.paths, self.settings)

    def run(self) -> RetrainSummary:
        """Runs the retrain; returns its summary, which also holds a failure.

        Raises:
            Interrupted: the run was cancelled; the caller must call :meth:`stop`.
        """
        failure: Seq2SeqError | None = None
        try:
            dvc, graph, status = self._prepare()
            failure = self._run_stages(dvc, graph, status)
            if failure is None:
                self._publish(dvc, graph, status)
            else:
                self._restore_outputs()
        except Interrupted:
            raise
        except Seq2SeqError as error:
            failure = error
        self._close_tracking(failure is not None)
        return self.summarise(failure)

    def stop(self) -> bool:
        """Stops all stages; returns whether all tasks ended. A task that queues for a slot does not end."""
        self.logger.warning("stopping all stages")
        self.cancellation.request()
        patience = self.settings.runtime.flow.cancel_grace_seconds + STOPPING_SECONDS
        has_ended = self.graph_run is None or self.graph_run.abandon(patience)
        self.tracking.close_killed()
        self._restore_outputs()
        return has_ended

    def summarise(self, failure: Seq2SeqError | None) -> RetrainSummary:
        """The summary of the run so far.

        Args:
            failure: the error of a failed run, else None.
        """
        stages = self.graph_run.reports() if self.graph_run else ()
        present = {report.stage for report in stages if report.state in ("ran", "cached")}
        receipt = read_receipt(self.paths) if "register" in present else None
        return RetrainSummary(
            stages=stages,
            failure=failure,
            seconds=time.monotonic() - self.started,
            data_changes=tuple(self.data_changes),
            notes=(*self.notes, *read_corpus_lines(self.paths, self.settings, present), *read_drift_lines(self.paths, receipt)),
            metrics=read_metrics(self.paths) if "evaluate" in present else {},
            receipt=receipt,
            is_promotion=receipt is not None and self._has_promoted(),
            scores=compare_scores(self.paths, receipt) if "evaluate" in present else (),
            links=self._links(),
        )

    def _has_promoted(self) -> bool:
        """Whether this run moved the alias ``champion``."""
        from seq2seq_core.registry.receipts import has_promoted

        return has_promoted(self.flow_run.id, self.paths)

    def _prepare(self) -> tuple[Dvc, StageGraph, GraphStatus]:
        """Checks the settings and refreshes the data; returns DVC, the graph and its status."""
        flow = self.settings.runtime.flow
        if flow.publish.commit_branch:
            check_branch(self.paths.root, flow.publish.commit_branch)
        for line in clear_dead_locks(self.paths.root):
            self._note(line)
        variables = {"S2S_GRAPH_RUN": self.flow_run.id, "S2S_FLOW_RUN_ID": self.flow_run.id}
        dvc = Dvc(self.paths.root, variables, (self.lock,), flow.busy_wait_seconds, self._note)
        check_repository(dvc)
        graph = read_stage_graph(dvc, self._policy())
        check_names(graph, self.settings, self.forced)
        self._refresh(dvc, graph)
        seconds = refresh_code_digests(dvc, graph.stages, self.logger.debug, self._policy())
        if seconds is not None:
            self.early[CODE.name] = StageReport(CODE.name, "ran", seconds, "always: it tells which others are stale", 1)
        self._drop_receipt()
        self.pooled = pooled_stages(graph, self.settings)
        lock = read_lock(self.paths.root)
        status = read_status(dvc, self._policy(), lambda answer: forgive_missing(answer, lock, self.pooled))
        status = explain_changes(status, self.paths.root)
        check_inputs(status, self.settings, self.paths)
        return dvc, graph, status

    def _refresh(self, dvc: Dvc, graph: StageGraph) -> None:
        """Brings the data up to date, as configured."""
        for line in refresh_data(dvc, self.settings.runtime.flow.refresh, graph.sources, self.logger.info, self._policy()):
            self.data_changes.append(line)
            self.logger.info("data: %s", line)

    def _drop_receipt(self) -> None:
        """Removes the receipt of a model that the registry has lost, so that DVC runs ``register`` again."""
        if not self.paths.receipt.is_file():
            return
        from seq2seq_core.registry.receipts import drop_stale_receipt

        if reason := drop_stale_receipt(self.paths, self.settings):
            self._note(f"register runs in this run, nothing is to be done: {reason}")

    def _run_stages(self, dvc: Dvc, graph: StageGraph, status: GraphStatus) -> Seq2SeqError | None:
        """Runs the stale stages; returns the first failure, or None."""
        flow = self.settings.runtime.flow
        local = StageRunner(dvc, self.paths, flow, self.cancellation, self.forced)
        tasks = StageTasks(local)
        self.graph_run = GraphRun(graph, status, tasks, flow.max_parallel_stages, self.is_cancelled, self.early)
        stale = [stage for stage in graph.stages if not self.graph_run.is_fresh(stage)]
        self.logger.info("stages that may have to run: %s", ", ".join(stale) or "none, all are up to date")
        if self.pooled:
            handover = prepare_handover(self.paths, graph, self.settings, self.pooled & {*stale}, self.flow_run.id)
            tasks.runner = self.pools = PoolRunner(local, handover, self.pooled, self.settings.register_.model_name)
        if stale:
            self.tracking.open({"prefect_flow_run_id": self.flow_run.id, "prefect_flow_run_name": self.flow_run.name})
        else:
            self.tracking.catch_up()
        self.graph_run.run()
        if self.pools:
            self._bring_reports(self.pools)
        return self.graph_run.first_failure()

    def _bring_reports(self, pools: PoolRunner) -> None:
        """Checks out the reports of stages that ran elsewhere; only notes where that fails, because the stages are done."""
        try:
            pools.bring_reports(self.logger.debug)
        except Interrupted:
            raise
        except Seq2SeqError as error:
            self._note(f"the reports of stages on other machines are not here: {first_line(error)}")

    def _restore_outputs(self) -> None:
        """Brings back the last outputs of the stages that did not succeed, which DVC has deleted."""
        reports = self.graph_run.reports() if self.graph_run else ()
        stages = [report.stage for report in reports if report.state in ("failed", "cancelled") and report.stage not in self.pooled]
        for line in restore_outputs(Dvc(self.paths.root, held_descriptors=(self.lock,)), stages, self.logger.debug):
            self._note(line)

    def _publish(self, dvc: Dvc, graph: StageGraph, status: GraphStatus) -> None:
        """Pushes the data and commits ``dvc.lock``, as configured."""
        self._record_sources(dvc, graph, status)
        settings = self.settings.runtime.flow.publish
        if settings.push:
            self._note(push_data(dvc, self.logger.info, self._policy()))
        if settings.commit_branch and self.has_own_settings:
            self._note("dvc.lock is not committed, because this run used settings that params.yaml does not have (set)")
        elif settings.commit_branch:
            if others := uncommitted_files(self.paths.root, graph.sources):
                self._note(f"not committed, although this run may rest on it: {', '.join(others)}")
            message = f"retrain: {self.flow_run.name}\n\nPrefect flow run {self.flow_run.id}"
            self._note(commit_lock(self.paths.root, settings.commit_branch, graph.sources, message))

    def _record_sources(self, dvc: Dvc, graph: StageGraph, status: GraphStatus) -> None:
        """Updates the ``.dvc`` files of changed data, as ``dvc repro`` does, but only after the stages have used the data."""
        for source in graph.sources:
            if source in status.changes:
                before = (self.paths.root / source).read_bytes()
                result = dvc.run(["repro", "--single-item", source], self.logger.debug, self._policy())
                if result.exit_code != 0:
                    raise refusal(["repro", source], result)
                if (self.paths.root / source).read_bytes() != before:
                    self._note(f"{source}: its data has changed; what it says was brought up to date")

    def _close_tracking(self, has_failed: bool) -> None:
        """Ends the parent run in MLflow; only notes where that fails, because the stages are done."""
        if not has_failed:
            self._write_report()
        if note := self.tracking.close("FAILED" if has_failed else "FINISHED"):
            self._note(note)

    def _write_report(self) -> None:
        """Writes the report of a run in which the last stage, which writes it itself, was up to date."""
        ran = {report.stage for report in (self.graph_run.reports() if self.graph_run else ()) if report.state == "ran"}
        elsewhere = self.pools.ran_elsewhere if self.pools else set()
        if ran <= {CODE.name} or WORKING_STAGES[-1].name in ran - elsewhere:
            return
        try:
            from seq2seq_core.run_report.report_page import write_report

            write_report(self.paths, self.settings.register_.model_name)
        except Exception as error:  # noqa: BLE001 - the stages are done, whatever a report holds
            self._note(f"no report of the run: {first_line(error) or type(error).__name__}")

    def _links(self) -> dict[str, str]:
        """The addresses of the report, the MLflow run, the Data Docs and the flow run, where there are any."""
        data_docs = self.paths.data_docs / "index.html"
        places = {
            "Report": str(self.paths.run_report) if self.paths.run_report.is_file() else "",
            "MLflow run": self.tracking.address(),
            "Data Docs": str(data_docs) if data_docs.is_file() else "",
            "Flow run": self.flow_run.url,
        }
        return {name: place for name, place in places.items() if place}

    def _policy(self) -> StopPolicy:
        """The policy for DVC commands that run no stage: no time limit, but cancellable."""
        return StopPolicy(cancel_grace_seconds=self.settings.runtime.flow.cancel_grace_seconds, cancellation=self.cancellation)

    def _note(self, line: str) -> None:
        self.notes.append(line)
        self.logger.info("%s", line)


def find_paths(workspace: str | None) -> Paths:
    """The workspace of a flow run.

    Args:
        workspace: a folder; None for the current one.

    Raises:
        UserError: the folder has no ``dvc.yaml``.
    """
    root = Path(workspace).resolve() if workspace else Path.cwd()
    if not (root / "dvc.yaml").is_file():
        raise UserError(
            f"{root}: no dvc.yaml there; expected a workspace, as `s2s init FOLDER` makes one, or a clone of the repository"
        )
    return Paths(root)
