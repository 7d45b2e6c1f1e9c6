"""The order of a run: a stage starts when its upstream stages are done; independent stages run in parallel.

No stage below a failed one starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from queue import SimpleQueue

from flows.graph.ended_tasks import next_ended
from flows.graph.stage_changes import NEVER_RUN
from flows.graph.stage_execution import StageReport
from flows.graph.stage_failure import StageFailed
from flows.graph.stage_graph import GraphStatus, StageGraph
from flows.graph.stage_tasks import Future, StageTasks
from seq2seq_core.errors import EXIT_CRASH

UP_TO_DATE = "up to date"
SETTLE_SECONDS = 1.0
"""Longest wait for the tasks after their commands have ended."""


class GraphRun:
    """One run of the graph.

    Args:
        graph: the stages.
        status: changes since the last run.
        early: the stages that have run before the others, by name.
        tasks: submits stages.
        max_parallel_stages: number of stages that may run in parallel; fresh ones do not count.
        is_cancelled: whether the run was cancelled; called every few seconds.
    """

    def __init__(
        self,
        graph: StageGraph,
        status: GraphStatus,
        tasks: StageTasks,
        max_parallel_stages: int,
        is_cancelled: Callable[[], bool],
        early: Mapping[str, StageReport] | None = None,
    ) -> None:
        self.graph, self.status, self.tasks, self.early = graph, status, tasks, early or {}
        self.max_parallel_stages, self.is_cancelled = max_parallel_stages, is_cancelled
        self.futures: dict[str, Future] = {}
        self.running: set[str] = set()
        self.blocked: dict[str, StageReport] = {}
        self._ended: SimpleQueue[str] = SimpleQueue()

    def run(self) -> None:
        """Runs all stages that can run.

        Raises:
            Interrupted: the run was cancelled; some stages may still be running.
        """
        waiting = list(self.graph.stages)
        while waiting or self.running:
            started = [stage for stage in waiting if self._start(stage)]
            waiting = [stage for stage in waiting if stage not in started]
            if not started and self.running:
                self._collect(next_ended(self._ended, self.is_cancelled))

    def abandon(self, patience_seconds: float) -> bool:
        """Waits for the tasks of a cancelled run; returns whether all of them ended.

        A task that queues for a slot or waits for a retry does not end.

        Args:
            patience_seconds: longest wait for the commands to stop.
        """
        deadline = time.monotonic() + patience_seconds
        while self.tasks.executing and time.monotonic() < deadline:
            time.sleep(0.05)
        settled = time.monotonic() + SETTLE_SECONDS
        for stage in sorted(self.running):
            self.futures[stage].wait(timeout=max(0.0, settled - time.monotonic()))
        return all(self.futures[stage].state.is_final() for stage in self.running)

    def reports(self) -> tuple[StageReport, ...]:
        """The outcome of each stage so far, in the order of the graph."""
        known = {**self.blocked, **self.tasks.reports}
        return tuple(known.get(stage, StageReport(stage, "not run", reason="the run ended before")) for stage in self.graph.stages)

    def first_failure(self) -> StageFailed | None:
        """The failure of the first failed stage in the order of the graph, or None."""
        return next((self.tasks.failures[stage] for stage in self.graph.stages if stage in self.tasks.failures), None)

    def is_fresh(self, stage: str) -> bool:
        """Whether a stage is up to date, ancestors included, and none of them is forced to run."""
        forced = self.tasks.runner.forced & {stage, *self.graph.ancestors(stage)}
        return not forced and self.status.is_fresh(stage, self.graph)

    def _start(self, stage: str) -> bool:
        """Submits a stage if it can start now; returns whether it was submitted, or blocked by a failed stage."""
        upstream = self.graph.upstream[stage]
        failed = [name for name in self.graph.stages if name in upstream and self._has_failed(name)]
        if failed:
            self.blocked[stage] = StageReport(stage, "not run", reason=self._why_blocked(stage))
            return True
        if any(name in self.running or name not in self.futures for name in upstream):
            return False
        above = [self.futures[name] for name in upstream]
        if self.is_fresh(stage):
            report = self.early.get(stage, StageReport(stage, "cached", reason=UP_TO_DATE))
            self._watch(stage, self.tasks.submit_known(report, above))
            return True
        if sum(not self.is_fresh(name) for name in self.running) >= self.max_parallel_stages:
            return False
        self._watch(stage, self.tasks.submit(stage, self._why(stage), above))
        return True

    def _watch(self, stage: str, future: Future) -> None:
        self.futures[stage] = future
        self.running.add(stage)
        future.add_done_callback(lambda _: self._ended.put(stage))

    def _collect(self, stage: str) -> None:
        """Records the end of a stage's task; a task that failed outside the stage itself counts as a crash."""
        self.futures[stage].wait()
        self.running.discard(stage)
        if stage not in self.tasks.reports:
            state = self.futures[stage].state
            failure = StageFailed(stage, f"{stage}: {state.name}: {state.message}", "crash", EXIT_CRASH, retryable=True)
            self.tasks.failures[stage] = failure
            self.tasks.reports[stage] = StageReport(stage, "failed", reason=str(failure))

    def _has_failed(self, stage: str) -> bool:
        if stage in self.blocked:
            return True
        return stage in self.futures and stage not in self.running and self.tasks.reports[stage].state not in ("ran", "cached")

    def _why_blocked(self, stage: str) -> str:
        """The reason why a stage cannot run: the stages above it that were started and did not succeed."""
        above = self.graph.ancestors(stage)
        roots = [name for name in self.graph.stages if name in above and name not in self.blocked and self._has_failed(name)]
        return f"{', '.join(roots)} did not succeed"

    def _why(self, stage: str) -> str:
        """The reason why a stage may have to run, for logs and reports."""
        if stage in self.tasks.runner.forced:
            return "asked for"
        changes = self.status.changes.get(stage, ())
        if changes == (NEVER_RUN,):
            return NEVER_RUN
        ran = self._ran(self.graph.upstream[stage])
        if not ran:
            return "; ".join(changes) or self.status.why_stale(stage, self.graph)
        # "deleted" only means "not there yet", and what made an upstream stage run was told there.
        told = {change for name in self._ran(self.graph.ancestors(stage)) for change in self.status.changes.get(name, ())}
        own = [change for change in changes if not change.endswith(" deleted") and change not in told]
        return "; ".join([*own, f"{', '.join(ran)} ran"])

    def _ran(self, names: Collection[str]) -> list[str]:
        """Those of some stages that ran because they were stale, in the order of the graph."""
        return [
            name
            for name in self.graph.stages
            if name in names and name not in self.early and name in self.tasks.reports and self.tasks.reports[name].state == "ran"
        ]
