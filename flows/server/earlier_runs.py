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
from prefect.events import RelatedResource, emit_event
from prefect.events.related import tags_as_related_resources
from prefect.exceptions import PrefectException
from prefect.states import Crashed, Running

from flows.server.automations import CRASHED_BEFORE, name_of_crashed_runs
from flows.server.flow_state import ask_once
from flows.server.run_names import model_tag

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State

WAITING = "Waiting"
"""The state of a run that waits for the one before it; of the type RUNNING."""
HELD_SECONDS = 1200.0
"""Longer than Prefect holds back an event whose predecessor it has not seen, 15 min."""
LONGEST_DAYS = 1.0
"""How far back crashes are told of."""


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
    try:
        with ask_once() as client:
            found = client.read_flow_runs(flow_run_filter=_deployed(model_name, StateType.RUNNING, StateType.PENDING))
    except (PrefectException, httpx.HTTPError):
        return []  # nobody else can be seen; the next run looks again
    return [
        f"marked the run {run.name} of {run.state.timestamp:%Y-%m-%d %H:%M} as Crashed: its process is gone"
        for run in found
        if run.flow_id == own.flow_id and run.id != own.id
        if run.state is not None and run.state.name != WAITING and run.state.timestamp < before
        if _set_state(run, Crashed(message=message))
    ]


def repeat_untold_crashes(model_name: str, held_seconds: float = HELD_SECONDS) -> list[str]:
    """Sends an event for each crashed run of a model of which the webhook was not told; returns a line for each.

    Prefect evaluates an event only after the event that it follows, and keeps it in memory until then. If a server dies while a
    worker starts a run, that predecessor is lost; if it dies again within a quarter of an hour, so is the crash.

    Args:
        model_name: ``register.model_name``.
        held_seconds: runs that crashed later are left to the server.
    """
    if _this_run() is None:
        return []
    now = datetime.now(UTC)
    ended = {"after_": now - timedelta(days=LONGEST_DAYS), "before_": now - timedelta(seconds=held_seconds)}
    try:
        with ask_once() as client:
            automations = client.read_automations_by_name(name_of_crashed_runs(model_name))
            if not automations:
                return []  # nobody asked to be told
            crashed = client.read_flow_runs(flow_run_filter=_deployed(model_name, StateType.CRASHED, end_time=ended))
            untold = [run for run in crashed if not _was_told(client, run, str(automations[0].id))]
    except (PrefectException, httpx.HTTPError):
        return []  # the next run looks again
    for run in untold:
        deployment = {"prefect.resource.id": f"prefect.deployment.{run.deployment_id}", "prefect.resource.role": "deployment"}
        related = [*tags_as_related_resources(run.tags), RelatedResource.model_validate(deployment)]
        emit_event(CRASHED_BEFORE, {"prefect.resource.id": _resource(run)}, related=related)
    return [
        f"the webhook was not told that the run {run.name} of {run.end_time:%Y-%m-%d %H:%M} crashed; it is now" for run in untold
    ]


def _was_told(client: SyncPrefectClient, run: FlowRun, automation: str) -> bool:
    """Whether the automation for crashed runs took notice of a run's crash."""

    def events(**wanted: dict[str, list[str]]) -> list[str]:
        found = client.request("POST", "/events/filter", json={"filter": wanted}).json()["events"]
        return [f"prefect.event.{event['id']}" for event in found]

    crashes = events(event={"name": ["prefect.flow-run.Crashed", CRASHED_BEFORE]}, resource={"id": [_resource(run)]})
    return bool(crashes) and bool(
        events(
            event={"name": ["prefect.automation.triggered"]},
            resource={"id": [f"prefect.automation.{automation}"]},
            related={"id": crashes},
        )
    )


def _deployed(model_name: str, *types: StateType, **further: object) -> FlowRunFilter:
    """The deployed runs of a model whose states are of some types."""
    tags, state = {"all_": [model_tag(model_name)]}, {"type": {"any_": list(types)}}
    return FlowRunFilter.model_validate({"tags": tags, "state": state, "deployment_id": {"is_null_": False}, **further})


def _resource(run: FlowRun) -> str:
    return f"prefect.flow-run.{run.id}"


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
