"""A stage on a worker: the order's commit and settings, inputs from the DVC remote, ``dvc repro``, outputs to the remote."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from flows.dvc.command import Dvc
from flows.dvc.locks import clear_dead_locks
from flows.dvc.repository import check_repository
from flows.graph.stage_execution import StageReport, StageRunner
from flows.graph.stage_failure import StageFailed
from flows.machines.carried_state import carried_state
from flows.machines.checkout import check_out, clone_for
from flows.machines.pool_runner import run_transfer
from flows.machines.stage_order import StageAnswer, StageOrder
from flows.processes.cancellation import Cancellation
from flows.processes.supervised import StopPolicy
from flows.processes.workspace_lock import workspace_lock
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.runtime import FlowSettings
from seq2seq_core.config.settings import load_settings
from seq2seq_core.console import Logger
from seq2seq_core.dvc_files import read_lock, uncached_outputs
from seq2seq_core.errors import Interrupted, Seq2SeqError

PACKAGE = "seq2seq_core"


def work_on(order: StageOrder, cancellation: Cancellation, on_wait: Callable[[str], None], logger: Logger) -> StageAnswer:
    """Runs a stage in this worker's clone; returns its part of ``dvc.lock``, or its failure.

    Args:
        order: from the flow.
        cancellation: stops the stage.
        on_wait: is told why the clone is busy, and with an empty text when it is free.
        logger: receives each line of output.
    """
    try:
        return _work_on(order, cancellation, on_wait, logger)
    except StageFailed as failed:
        return StageAnswer(
            state="failed",
            reason=str(failed),
            kind=failed.kind,
            exit_code=failed.exit_code,
            retryable=failed.retryable,
            is_in_log=failed.is_in_log,
        )
    except Interrupted as interrupted:
        return StageAnswer(state="cancelled", reason=str(interrupted), kind=interrupted.kind, exit_code=interrupted.exit_code)
    except Seq2SeqError as error:
        message = str(error) if str(error).startswith(f"{order.stage}:") else f"{order.stage}: {error}"
        return StageAnswer(state="failed", reason=message, kind=error.kind, exit_code=error.exit_code, retryable=error.retryable)


def _work_on(order: StageOrder, cancellation: Cancellation, on_wait: Callable[[str], None], logger: Logger) -> StageAnswer:
    clone = clone_for(order)
    with workspace_lock(Paths(clone / order.folder), on_wait) as lock:
        root = check_out(order, clone, logger.info)
        paths = Paths(root)
        settings = load_settings(paths.params)
        flow = settings.runtime.flow
        for line in clear_dead_locks(root):
            logger.info("%s", line)
        dvc = Dvc(root, _variables(order, root), (lock,), flow.busy_wait_seconds, logger.info)
        check_repository(dvc)
        policy = StopPolicy(cancel_grace_seconds=flow.cancel_grace_seconds, cancellation=cancellation)
        if order.inputs:
            run_transfer(dvc, ["pull", "--force", *order.inputs], logger.info, policy)
        started = time.time()
        with carried_state(order.stage, dvc, paths, flow.pools, logger) as forget_state:
            report = _run(order, dvc, paths, flow, cancellation, logger)
            kept = uncached_outputs(root, order.stage)
            entry = read_lock(root)[order.stage]
            if any(out["path"] not in kept for out in entry.get("outs", [])):
                run_transfer(dvc, ["push", order.stage], logger.info, policy)
            forget_state()
    written = [path for path in (paths.promotion, paths.drift) if path.is_file() and path.stat().st_mtime >= started]
    files = [*(root / name for name in kept), *written]
    texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in files}
    assert report.state in ("ran", "cached")
    return StageAnswer(state="ran" if report.state == "ran" else "cached", reason=report.reason, entry=entry, files=texts)


def _run(order: StageOrder, dvc: Dvc, paths: Paths, flow: FlowSettings, cancellation: Cancellation, logger: Logger) -> StageReport:
    """Runs the stage by the same door as a stage on the flow's own machine."""
    forced = frozenset([order.stage] if order.is_forced else [])
    runner = StageRunner(dvc, paths, flow, cancellation, forced)
    return runner.run(order.stage, order.why, lambda line: logger.info("%s", line))


def _variables(order: StageOrder, root: Path) -> dict[str, str]:
    """Environment variables of the stage: its run of the graph, and the code of the commit before any installed."""
    own = {"S2S_GRAPH_RUN": order.graph_run, "S2S_FLOW_RUN_ID": order.parent_run}
    if (root / PACKAGE).is_dir():
        own["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH", ""))))
    return own
