"""``s2s retrain`` and ``s2s sweep --prefect``: a flow in this process, with or without a Prefect server running."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from flows.processes.workspace_lock import workspace_lock
from flows.reports.summary import RetrainSummary
from flows.server.environment import prepare_environment
from flows.server.local_console import local_console
from flows.server.local_server import prefect_server
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.errors import Interrupted, Seq2SeqError
from seq2seq_core.sweep.drive import SweepRequest
from seq2seq_core.sweep.results import SweepResults

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


def run_retrain(root: Path, force: Sequence[str] = ()) -> RetrainSummary:
    """What one run of the flow ``retrain`` did, in this process.

    Args:
        root: the workspace.
        force: stages that run even where they are fresh.

    Raises:
        Seq2SeqError: it failed; of the kind, and with the words and the exit code, of the stage that failed.
    """
    paths = Paths(root.resolve())
    load_settings(paths.params)
    with workspace_lock(paths):
        pass  # a busy workspace is told at once, not after a server has started; the flow takes the lock for itself
    with _prefect(paths):
        from flows.retrain import STOPPED, retrain

        with local_console():
            summary = run_flow(retrain, RetrainSummary, STOPPED, workspace=str(paths.root), force=list(force))
    if summary.failure is not None:
        if summary.stages:
            logger.info("%s", summary.describe())
        raise summary.failure
    return summary


def run_sweep(request: SweepRequest, paths: Paths, jobs: int) -> SweepResults:
    """The results of one run of the flow ``sweep``, in this process.

    Args:
        request: the sweep.
        paths: the workspace.
        jobs: how many trials run side by side.

    Raises:
        Seq2SeqError: it failed, or was cancelled.
    """
    with _prefect(paths):
        from flows.sweep import STOPPED, sweep

        asked = {"file": str(request.file), "name": request.name, "trials": request.trials, "jobs": jobs}
        with local_console():
            return run_flow(sweep, SweepResults, STOPPED, workspace=str(paths.root), **asked)


def _prefect(paths: Paths) -> AbstractContextManager[object]:
    """Prefect's environment, and its server for the ``with`` block; only inside may anything of Prefect be imported."""
    start_seconds = load_settings(paths.params).runtime.flow.server_start_seconds
    prepare_environment()
    return prefect_server(paths, start_seconds)


def run_flow(flow: Callable[..., Any], kind: type[Result], stopped: str, **parameters: Any) -> Result:
    """What a flow leaves when it runs in this process.

    Args:
        flow: Prefect's.
        kind: of its result.
        stopped: what has become of a run that was cancelled.
        parameters: the flow's.

    Raises:
        Interrupted: the flow run was cancelled on the server.
        Seq2SeqError: the failure that the flow left instead of a result.
        Exception: the flow broke; whatever broke it.
    """
    from prefect.exceptions import Abort

    from flows.graph.ended_tasks import CANCELLED

    try:
        state = flow(**parameters, return_state=True)
    except Abort:
        # The server takes no other final state for a run that was cancelled there.
        raise Interrupted(f"{CANCELLED}; {stopped}") from None
    value = getattr(state.data, "result", state.data)  # Prefect wraps it in a record
    if isinstance(value, kind):
        return value
    if isinstance(value, Seq2SeqError):
        raise value
    state.result(raise_on_failure=True)
    raise RuntimeError(f"the flow run ended as {state.name} without a {kind.__name__}: {state.message}")
