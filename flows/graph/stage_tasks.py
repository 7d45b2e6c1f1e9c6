"""Stages as Prefect tasks: named after the stage, retried after a retryable failure, *Cached* where nothing was executed.

Prefect's own caching and result storage are off: DVC alone decides which stages are stale.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed

from flows.graph.policy_task import policy_task
from flows.graph.stage_execution import StageReport
from flows.graph.stage_failure import StageFailed
from seq2seq_core.config.runtime import FlowSettings, ResolvedPolicy
from seq2seq_core.console import Logger, format_seconds
from seq2seq_core.errors import Interrupted

Future = PrefectFuture[Any]


class Runner(Protocol):
    """Executes stages, wherever that is; :class:`~flows.graph.stage_execution.StageRunner` does so here."""

    @property
    def flow(self) -> FlowSettings:
        """The stages' policies."""

    @property
    def forced(self) -> frozenset[str]:
        """Stages that run even where they are fresh."""

    def run(self, stage: str, why: str, on_line: Callable[[str], None]) -> StageReport:
        """Runs a stage whose upstream stages are done; see :meth:`flows.graph.stage_execution.StageRunner.run`."""


class StageTasks:
    """Submits stages to Prefect and records their outcomes.

    Args:
        runner: executes a stage.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.reports: dict[str, StageReport] = {}
        self.failures: dict[str, StageFailed] = {}
        self._lock = threading.Lock()
        self._executing: set[str] = set()
        self._seconds: dict[str, float] = {}
        self._attempts: dict[str, int] = {}

    @property
    def executing(self) -> frozenset[str]:
        """The stages whose commands are running; other submitted stages queue for a slot or wait for a retry."""
        with self._lock:
            return frozenset(self._executing)

    def submit_known(self, report: StageReport, upstream: Iterable[Future]) -> Future:
        """Submits a stage whose outcome is known, because it is up to date or has run before the others; it needs no slot.

        Args:
            report: the outcome.
            upstream: the futures of its upstream stages; Prefect draws its graph from them.
        """
        return self._submit(report.stage, lambda: self._pass_on(report), ResolvedPolicy(0, 0.0, 0.0, ()), upstream)

    def submit(self, stage: str, why: str, upstream: Iterable[Future]) -> Future:
        """Submits a stage that may have to run.

        Args:
            stage: the stage's name.
            why: the reason why it may have to run.
            upstream: the futures of its upstream stages, all done; Prefect draws its graph from them.
        """
        return self._submit(stage, lambda: self._execute(stage, why), self.runner.flow.policy(stage), upstream)

    def _submit(self, stage: str, work: Callable[[], State[Any]], policy: ResolvedPolicy, upstream: Iterable[Future]) -> Future:
        """Submits a task with the stage's name and policy; Prefect retries it after a retryable failure."""
        names = {"name": stage, "task_run_name": stage, "description": f"dvc repro --single-item {stage}"}
        return policy_task(work, policy, StageFailed, **names).submit(return_state=False, wait_for=list(upstream))

    def _pass_on(self, report: StageReport) -> State[Any]:
        """The state of a stage whose outcome is known."""
        self.reports[report.stage] = report
        return _to_state(report)

    def _execute(self, stage: str, why: str) -> State[Any]:
        """Makes one attempt at a stage; returns a Prefect state.

        A failure is returned, not raised, so that no log shows our traceback.
        """
        logger = get_run_logger()
        attempt = self._attempts[stage] = self._attempts.get(stage, 0) + 1
        started = time.monotonic()
        with self._lock:
            self._executing.add(stage)
        try:
            report = self.runner.run(stage, why, lambda line: logger.info("%s", line))
        except Interrupted as interruption:
            self._note(StageReport(stage, "cancelled", time.monotonic() - started, str(interruption), attempt))
            return Cancelled(message=str(interruption))
        except StageFailed as failure:
            self._note(StageReport(stage, "failed", time.monotonic() - started, str(failure), attempt))
            return self._failed(failure, attempt, logger)
        finally:
            with self._lock:
                self._executing.discard(stage)
        self.failures.pop(stage, None)
        self._note(replace(report, attempts=attempt))
        return _succeeded(report, logger)

    def _failed(self, failure: StageFailed, attempt: int, logger: Logger) -> State[Any]:
        """The failed state of an attempt; also logs whether another attempt follows."""
        self.failures[failure.stage] = failure
        policy = self.runner.flow.policy(failure.stage)
        kind = failure.kind.replace("_", " ")
        # What the stage's own lines have said is not said again.
        logger.error("failed (%s)%s", kind, "" if failure.is_in_log else f": {failure}")
        if failure.retryable and attempt <= policy.retries:
            delay = format_seconds(policy.retry_delay_seconds)
            logger.warning("attempt %d of %d follows in %s", attempt + 1, policy.retries + 1, delay)
        return Failed(message=str(failure), data=failure)

    def _note(self, report: StageReport) -> None:
        """Stores the report of an attempt; its time includes earlier attempts."""
        self._seconds[report.stage] = self._seconds.get(report.stage, 0.0) + report.seconds
        self.reports[report.stage] = replace(report, seconds=self._seconds[report.stage])


def _succeeded(report: StageReport, logger: Logger) -> State[Any]:
    if report.state == "cached":
        logger.info("nothing to do: %s", report.reason)
    else:
        logger.info("done in %s", format_seconds(report.seconds))
    return _to_state(report)


def _to_state(report: StageReport) -> State[Any]:
    """Prefect's state of a stage that succeeded."""
    if report.state == "cached":
        return Completed(name="Cached", message=report.reason)
    return Completed(message=f"ran: {report.reason}" if report.reason else None)
