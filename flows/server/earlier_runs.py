"""Runs of a workspace as the Prefect server knows them, seen by the run that holds the workspace's lock.

The lock belongs to the kernel, which takes it back from a process that dies, whatever kills it. A concurrency limit of Prefect
does not: a run whose process, worker and server die together keeps its slot, and every later run is cancelled. So the lock alone
says who works, and whoever holds it knows that the other runs which the server calls Running are dead, or wait for it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.states import Crashed, Running

from flows.server.flow_state import ask_once
from flows.server.run_names import model_tag

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

WAITING = "Waiting"
"""The state of a run that waits for the one before it; of the type RUNNING."""


def show_wait(reason: str) -> None:
    """Shows on Prefect's page that this run waits; empty: it does no longer.

    Args:
        reason: what it waits for.
    """
    run = _this_run()
    if run is not None:
        _set_state(run, Running(name=WAITING, message=reason) if reason else Running())


def mark_dead_runs(model_name: str, silent_seconds: float) -> list[str]:
    """Marks the deployed runs of this run's model that have no process as *Crashed*; returns a line for each.

    The caller holds the workspace's lock, and no other workspace deploys a model of this name.

    Args:
        model_name: ``register.model_name``.
        silent_seconds: runs whose state is younger are left alone: their process may be starting or ending.
    """
    own = _this_run()
    if own is None:
        return []
    message = f"the process of this run is gone: run {own.name} found its workspace free"
    before = datetime.now(UTC) - timedelta(seconds=silent_seconds)
    tags, types = {"all_": [model_tag(model_name)]}, {"any_": [StateType.RUNNING, StateType.PENDING]}
    wanted = FlowRunFilter.model_validate({"tags": tags, "state": {"type": types}, "deployment_id": {"is_null_": False}})
    try:
        with ask_once() as client:
            found = client.read_flow_runs(flow_run_filter=wanted)
    except (PrefectException, httpx.HTTPError):
        return []  # nobody else can be seen; the next run looks again
    return [
        f"marked the run {run.name} of {run.state.timestamp:%Y-%m-%d %H:%M} as Crashed: its process is gone"
        for run in found
        if run.flow_id == own.flow_id and run.id != own.id
        if run.state is not None and run.state.name != WAITING and run.state.timestamp < before
        if _set_state(run, Crashed(message=message))
    ]


def _this_run() -> FlowRun | None:
    context = FlowRunContext.get()
    return context.flow_run if context else None


def _set_state(run: FlowRun, state: State[None]) -> bool:
    """Sets a run's state; returns whether the server took it. The work goes on without the server."""
    try:
        with ask_once() as client:
            client.set_flow_run_state(run.id, state, force=True)
    except (PrefectException, httpx.HTTPError):
        return False
    return True
