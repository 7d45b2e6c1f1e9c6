"""Runs each stage where its policy says: here, or on a work pool whose workers share no disk with this machine."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flows.dvc.command import Dvc
from flows.dvc.refresh import transfer_error
from flows.graph.stage_execution import StageReport, StageRunner
from flows.graph.stage_failure import StageFailed
from flows.machines.handover import Handover, inside
from flows.machines.pool_run import PoolRun, start_pool_run
from flows.machines.stage_order import StageAnswer
from flows.processes.supervised import StopPolicy
from seq2seq_core.config.runtime import FlowSettings
from seq2seq_core.dvc_files import missing_outputs, read_lock, uncached_outputs
from seq2seq_core.errors import Interrupted, Seq2SeqError
from seq2seq_core.file_lock import wait_for_lock
from seq2seq_core.stage_history.dvc_cache import dvc_folder

REPORTS = "reports/"
"""Small outputs that the report of the run reads; they come back whoever needs them."""


@dataclass
class PoolRunner:
    """Runs the stages of one flow run.

    Attributes:
        local: runs a stage here.
        handover: what all orders have in common.
        pooled: the stages that run on work pools.
        model_name: ``register.model_name``, which the deployments carry.
        ran_elsewhere: the stages that ran on a work pool in this run.
    """

    local: StageRunner
    handover: Handover
    pooled: frozenset[str]
    model_name: str
    ran_elsewhere: set[str] = field(default_factory=set)
    _in_remote: set[str] = field(default_factory=set)
    _reports: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def flow(self) -> FlowSettings:
        """The stages' policies."""
        return self.local.flow

    @property
    def forced(self) -> frozenset[str]:
        """Stages that run even where they are up to date."""
        return self.local.forced

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
        try:
            if stage in self.pooled:
                return self._run_elsewhere(stage, why, on_line)
            self._bring_inputs(stage, on_line)
        except (StageFailed, Interrupted):
            raise
        except Seq2SeqError as error:
            raise StageFailed(stage, f"{stage}: {error}", error.kind, error.exit_code, error.retryable) from None
        return self.local.run(stage, why, on_line)

    def bring_reports(self, on_line: Callable[[str], None]) -> None:
        """Checks out the reports of the stages that ran elsewhere, for the pages of the run.

        Args:
            on_line: receives each line of output.

        Raises:
            Seq2SeqError: the remote does not answer, or the flow run was cancelled.
        """
        self._pull([], on_line)

    def _run_elsewhere(self, stage: str, why: str, on_line: Callable[[str], None]) -> StageReport:
        cancellation, policy = self.local.cancellation, self.flow.policy(stage)
        if cancellation.is_requested:
            raise Interrupted(f"{stage}: not started, because the flow run was cancelled")
        started = time.monotonic()
        self._push_inputs(stage, on_line)
        order = self.handover.order(stage, why, stage in self.forced)
        patience = self.flow.pools.lost_after_seconds
        run = PoolRun(stage, policy.pool, start_pool_run(order, policy.pool, self.model_name, patience), patience)
        answer = run.follow(on_line, cancellation)
        if answer.state == "cancelled" and cancellation.is_requested:
            raise Interrupted(answer.reason)
        if answer.state in ("failed", "cancelled"):
            raise StageFailed(stage, answer.reason, answer.kind, answer.exit_code, answer.retryable, answer.is_in_log)
        self._take_back(stage, answer)
        return StageReport(stage, answer.state, time.monotonic() - started, answer.reason)

    def _push_inputs(self, stage: str, on_line: Callable[[str], None]) -> None:
        """Brings what the stage reads to the DVC remote, unless a worker has done so in this run."""
        with self._lock:
            inputs = [name for name in self.handover.graph.inputs.get(stage, ()) if name not in self._in_remote]
        if inputs:
            self._transfer(["push", *inputs], on_line)
            with self._lock:
                self._in_remote.update(inputs)

    def _take_back(self, stage: str, answer: StageAnswer) -> None:
        """Joins the stage's part into ``dvc.lock``; older outputs go, as DVC removes them before it runs a stage here."""
        root = self.handover.paths.root
        kept = uncached_outputs(root, stage)
        # DVC's own lock: it edits dvc.lock only while it holds this one.
        with wait_for_lock(dvc_folder(root) / "tmp" / "lock"), self._lock:
            self.handover.take_back(stage, answer)
            outputs = _outputs(root, stage)
            for name in outputs:
                if name not in kept:
                    _remove(inside(root, name))
            self.ran_elsewhere.add(stage)
            self._in_remote.add(stage)
            self._reports += [name for name in outputs if name.startswith(REPORTS) and name not in kept]

    def _bring_inputs(self, stage: str, on_line: Callable[[str], None]) -> None:
        """Checks out what stages on other machines made and this stage reads."""
        root = self.handover.paths.root
        above = [name for name in self.handover.graph.inputs.get(stage, ()) if name in self.pooled]
        wanted = [name for name in above if missing_outputs(root, name)]
        if wanted:
            self._pull(wanted, on_line)

    def _pull(self, stages: Sequence[str], on_line: Callable[[str], None]) -> None:
        """Checks out the outputs of stages, and the reports that have not come back yet."""
        root = self.handover.paths.root
        with self._lock:
            reports, self._reports = self._reports, []
        covered = {name for stage in stages for name in _outputs(root, stage)}
        targets = [*stages, *(name for name in reports if name not in covered)]
        if targets:
            self._transfer(["pull", "--force", *targets], on_line)

    def _transfer(self, arguments: list[str], on_line: Callable[[str], None]) -> None:
        dvc, flow = self.local.dvc, self.flow
        policy = StopPolicy(cancel_grace_seconds=flow.cancel_grace_seconds, cancellation=self.local.cancellation)
        run_transfer(dvc, arguments, on_line, policy)


def run_transfer(dvc: Dvc, arguments: list[str], on_line: Callable[[str], None], policy: StopPolicy) -> None:
    """Runs a DVC command that moves data between a cache and the remote.

    Args:
        dvc: of the workspace.
        arguments: the subcommand and its targets.
        on_line: receives each line of output.
        policy: when the command is stopped.

    Raises:
        UserError: a fault in the configuration, such as no remote.
        EnvironmentFault: the remote does not answer, or lacks a file.
        Interrupted: the command was stopped.
    """
    result = dvc.run(arguments, on_line, policy)
    if result.exit_code != 0:
        raise transfer_error(arguments, result)


def _outputs(root: Path, stage: str) -> list[str]:
    """The paths of a stage's outputs in ``dvc.lock``."""
    return [str(out["path"]) for out in read_lock(root).get(stage, {}).get("outs", [])]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
