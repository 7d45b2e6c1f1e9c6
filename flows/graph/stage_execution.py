"""Execution of one stage by ``dvc repro --single-item``: DVC decides whether it has to run, and reports what it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from flows.dvc.command import Dvc
from flows.graph.stage_failure import explain_failure
from flows.processes.cancellation import Cancellation
from flows.processes.supervised import CommandResult, StopPolicy
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.runtime import FlowSettings
from seq2seq_core.errors import Interrupted
from seq2seq_core.outcome import read_outcome
from seq2seq_core.stage_history.executions import ALWAYS, ASKED_FOR, read_execution

StageState = Literal["ran", "cached", "failed", "cancelled", "not run"]


@dataclass(frozen=True)
class StageReport:
    """The outcome of one stage in one run of the graph.

    Attributes:
        stage: the stage's name.
        state: ``cached`` where nothing was executed: the stage was fresh, or DVC restored its outputs.
        seconds: duration, retries included.
        reason: why the stage ran, was skipped or failed.
        attempts: number of starts.
    """

    stage: str
    state: StageState
    seconds: float = 0.0
    reason: str = ""
    attempts: int = 0


@dataclass(frozen=True)
class StageRunner:
    """Runs stages of one workspace.

    Attributes:
        dvc: the workspace's DVC.
        paths: the workspace; removes a stage's old outcome file and reads the new one.
        flow: the stages' policies and the times to stop.
        cancellation: stops running stages.
        forced: stages that run even where they are fresh.
    """

    dvc: Dvc
    paths: Paths
    flow: FlowSettings
    cancellation: Cancellation
    forced: frozenset[str] = frozenset()

    def run(self, stage: str, why: str, on_line: Callable[[str], None]) -> StageReport:
        """Runs a stage whose upstream stages are done, and reports what DVC did.

        Args:
            stage: the stage's name.
            why: the reason why it may have to run.
            on_line: receives each line of output as it comes.

        Raises:
            StageFailed: the stage failed; ``retryable`` says whether a retry can help.
            Interrupted: the flow run was cancelled.
        """
        if self.cancellation.is_requested:
            raise Interrupted(f"{stage}: not started, because the flow run was cancelled")
        policy = self.flow.policy(stage)
        started, since = time.monotonic(), time.time()
        (self.paths.outcomes / f"{stage}.json").unlink(missing_ok=True)
        force = ["--force"] if stage in self.forced else []
        result = self.dvc.run(["repro", "--single-item", *force, stage], on_line, self._stop_policy(policy.time_limit_seconds))
        if result.exit_code == 0:
            report = _read_success(stage, result, why)
            reason = self._why_it_ran(report, since) if report.state == "ran" else report.reason
            return replace(report, reason=reason, seconds=time.monotonic() - started)
        if result.ended_by == "cancellation":
            raise Interrupted(f"{stage}: stopped, because the flow run was cancelled")
        raise explain_failure(stage, result, read_outcome(self.paths.outcomes, stage), policy.time_limit_seconds)

    def _why_it_ran(self, report: StageReport, since: float) -> str:
        """The reason why a stage may have to run, and what the stage itself found: which outputs above came out changed."""
        execution = read_execution(report.stage, self.paths)
        found = execution.why if execution is not None and execution.ended >= since else ()
        return "; ".join(
            [report.reason, *(line for line in found if line not in (ASKED_FOR, ALWAYS) and line not in report.reason)]
        )

    def _stop_policy(self, time_limit_seconds: float) -> StopPolicy:
        return StopPolicy(
            time_limit_seconds=time_limit_seconds,
            grace_seconds=self.flow.stop_grace_seconds,
            cancel_grace_seconds=self.flow.cancel_grace_seconds,
            spare_command=True,
            cancellation=self.cancellation,
        )


def _read_success(stage: str, result: CommandResult, why: str) -> StageReport:
    """The report of a successful ``dvc repro``, read from its output."""
    if f"Stage '{stage}' didn't change, skipping" in result.lines:
        return StageReport(stage, "cached", reason="its inputs came out unchanged")
    if f"Stage '{stage}' is cached - skipping run, checking out outputs" in result.lines:
        return StageReport(stage, "cached", reason="DVC restored the outputs of an earlier run with the same inputs")
    return StageReport(stage, "ran", reason=why)
