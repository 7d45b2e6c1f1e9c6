"""``s2s retrain`` and ``s2s sweep --prefect``: run a flow in this process; an embedded Prefect server starts if none runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flows.dvc.command import Dvc
from flows.dvc.one_run_settings import check_assignments, put_back
from flows.dvc.repository import check_repository
from flows.graph.stage_choices import check_forced
from flows.processes.workspace_lock import workspace_lock
from flows.reports.summary import RetrainSummary
from flows.server.environment import prepare_environment
from flows.server.local_console import local_console
from flows.server.local_server import prefect_server
from flows.server.run_names import model_tag
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.ready_settings import load_workspace_settings
from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.errors import Interrupted, Seq2SeqError

if TYPE_CHECKING:  # these read PyTorch, which a retrain leaves to its stages
    from seq2seq_core.sweep.drive import SweepRequest
    from seq2seq_core.sweep.results import SweepResults

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


def run_retrain(root: Path, force: Sequence[str] = (), assignments: Sequence[str] = ()) -> RetrainSummary:
    """Runs the flow ``retrain`` in this process; returns its summary.

    Args:
        root: the workspace, the folder with ``dvc.yaml`` and ``params.yaml``.
        force: stages that run even where they are fresh.
        assignments: settings for this run only, each ``section.field=value``.

    Raises:
        Seq2SeqError: the run failed; kind, message and exit code are those of the failed stage.
    """
    paths = Paths(root.resolve())
    check_repository(Dvc(paths.root))
    with workspace_lock(paths):  # reports a busy workspace before a server starts; the flow takes the lock again
        put_back(paths, logger.warning)
    settings = load_workspace_settings(paths)
    check_assignments(paths, assignments)  # a slip of the person at the terminal needs no server and notifies nobody
    check_forced(paths, force)
    with _prefect(paths, settings):
        from prefect import tags

        from flows.retrain import STOPPED, retrain
        from flows.server.presence import nothing_sent_while_away

        asked = {"force": list(force), "set": list(assignments)}
        with local_console(), nothing_sent_while_away(), tags(model_tag(settings.register_.model_name)):
            summary = run_flow(retrain, RetrainSummary, STOPPED, workspace=str(paths.root), **asked)
    if summary.failure is not None:
        if summary.stages:
            logger.info("%s", summary.describe())
        raise summary.failure
    return summary


def run_sweep(request: SweepRequest, paths: Paths, jobs: int) -> SweepResults:
    """Runs the flow ``sweep`` in this process; returns its results.

    Args:
        request: the sweep's file, with name and number of trials from the command line.
        paths: the workspace; writes ``.s2s/sweeps`` and the Prefect database.
        jobs: number of trials that run in parallel.

    Raises:
        Seq2SeqError: the run failed or was cancelled.
    """
    settings = load_settings(paths.params)
    with _prefect(paths, settings):
        from prefect import tags

        from flows.server.presence import nothing_sent_while_away
        from flows.sweep import STOPPED, sweep
        from seq2seq_core.sweep.results import SweepResults

        asked = {"file": str(request.file), "name": request.name, "trials": request.trials, "jobs": jobs}
        with local_console(), nothing_sent_while_away(), tags(model_tag(settings.register_.model_name)):
            return run_flow(sweep, SweepResults, STOPPED, workspace=str(paths.root), **asked)


def _prefect(paths: Paths, settings: Settings) -> AbstractContextManager[object]:
    """Prefect's environment and a running server for the ``with`` block; Prefect must not be imported before the block."""
    prepare_environment()
    return prefect_server(paths, settings.runtime.flow.server_start_seconds)


def run_flow(flow: Callable[..., Any], kind: type[Result], stopped: str, **parameters: Any) -> Result:
    """Runs a flow in this process; returns its result.

    Args:
        flow: a Prefect flow that keeps its result, or a :class:`Seq2SeqError` (see :mod:`flows.server.kept_result`).
        kind: the class of the result.
        stopped: the end of the message about a cancelled run: what was stopped, and how to resume.
        parameters: the flow's parameters.

    Raises:
        Interrupted: the flow run was cancelled on the server.
        Seq2SeqError: the failure that the flow kept.
        Exception: the flow crashed with this exception.
    """
    import httpx
    from prefect.exceptions import Abort, PrefectException

    from flows.graph.ended_tasks import CANCELLED
    from flows.server.kept_result import has_result, take_result
    from flows.server.redacted_reports import keep_secrets

    keep_secrets()
    state = None
    try:
        state = flow(**parameters, return_state=True)
    except Abort:
        # The server accepts no other final state for a run that was cancelled on the server.
        raise Interrupted(f"{CANCELLED}; {stopped}") from None
    except (httpx.HTTPError, PrefectException):
        # Where the server died, the work of the run is done, and only its end could not be reported.
        if not has_result():
            raise
    value = take_result()
    if isinstance(value, kind):
        return value
    if isinstance(value, Seq2SeqError):
        raise value
    assert state is not None
    state.result(raise_on_failure=True)
    raise RuntimeError(f"the flow run ended as {state.name} without a {kind.__name__}: {state.message}")
