"""The Prefect flow ``sweep``: entry point of its deployment in ``prefect.yaml`` and of ``s2s sweep --prefect``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger

from flows.processes.cancellation import Cancellation
from flows.retrain import THREADS
from flows.retraining import find_paths
from flows.server.engine_log import quiet_engine
from flows.server.final_state import final_state
from flows.server.flow_state import is_cancelled
from flows.server.presence import leave_server_behind
from flows.server.redacted_reports import keep_secrets
from flows.server.run_events import announced_run
from flows.server.run_names import artifact_key, flow_run_title, workspace_model
from flows.server.slots import no_slots_while_away
from flows.sweeps.trial_tasks import SweepTasks
from flows.sweeps.workers import Workers
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.errors import Interrupted, Seq2SeqError
from seq2seq_core.proxies import exempt_loopback
from seq2seq_core.sweep.drive import SweepRequest, driven_sweep
from seq2seq_core.sweep.results import SweepResults

TABLE_KEY = "sweep-trials"
STOPPED = "every trial was stopped, run the same sweep again to go on"


@flow(name="sweep", flow_run_name=flow_run_title, task_runner=THREADS, persist_result=False, log_prints=False)
def sweep(file: str, workspace: str | None = None, name: str = "", trials: int = 0, jobs: int = 1) -> State[Any]:
    """Search over settings: each task trains one trial of the sweep, or goes on with one that was interrupted.

    Args:
        file: The sweep's file, from the workspace.
        workspace: The folder with dvc.yaml and params.yaml; by default the one that the flow runs in.
        name: In place of the sweep's name in the file.
        trials: In place of the number of trials in the file.
        jobs: How many trials run side by side.
    """
    keep_secrets()
    exempt_loopback()
    quiet_engine()
    with announced_run(), no_slots_while_away():
        return _search(workspace, SweepRequest(Path(file), name, trials), jobs)


def _search(workspace: str | None, request: SweepRequest, jobs: int) -> State[Any]:
    """Runs a sweep; returns the flow run's final state."""
    try:
        paths = find_paths(workspace)
        results = _run_trials(replace(request, file=paths.root / request.file), paths, jobs)
        best = results.best
    except Interrupted as error:
        stopped = Interrupted(f"{error}; {STOPPED}", error.exit_code)
        return final_state(str(stopped), stopped, stopped)
    except Seq2SeqError as error:
        get_run_logger().error("%s", error)
        return final_state(str(error), error, error)
    return final_state(f"the best is trial {best.number}: {results.metric} {best.value:.4f}", results, None)


def _run_trials(request: SweepRequest, paths: Paths, jobs: int) -> SweepResults:
    """Runs the trials of a sweep; returns its results."""
    policies = load_settings(paths.params).runtime.flow
    tasks = SweepTasks(Workers(request, paths, jobs, Cancellation()), policies, is_cancelled)
    with driven_sweep(request, paths) as (opened, _):
        try:
            tasks.run(opened.num_trials - len(opened.study.ended()))
        except KeyboardInterrupt:
            tasks.stop()
            raise Interrupted("interrupted") from None
        except BaseException:
            # Prefect turns SIGTERM (from a cancelling worker or others) into an exception that does not inherit from Exception.
            tasks.stop()
            raise
        results = opened.results()
    if not leave_server_behind(get_run_logger(), policies.server_return_seconds):
        _publish(results, request.file, artifact_key(workspace_model(paths.root), TABLE_KEY))
    return results


def _publish(results: SweepResults, file: Path, key: str) -> None:
    """Stores the table of trials as a Prefect artifact; only warns where that fails."""
    has_reasons = any(trial.reason for trial in results.trials)
    rows = [
        {"trial": trial.number, results.metric: trial.value, "step": trial.step, "state": trial.state, **trial.values}
        | ({"reason": trial.reason} if has_reasons else {})
        for trial in results.trials
    ]
    try:
        create_table_artifact(rows, key=key, description=f"Trials of {file.name}, the best first")
    except (PrefectException, httpx.HTTPError) as error:
        get_run_logger().warning("the table could not be stored in Prefect: %s: %s", type(error).__name__, error)
