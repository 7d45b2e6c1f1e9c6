"""Events of this process's flow run that Prefect 3.8.8 does not send itself; the automations need them.

Prefect evaluates an event only after the event that it follows. A run that a schedule makes has no event for its first state, so
that within 5 min of the schedule's making every later event of the run waits 15 min for it. Signs of life wait for none and may
arrive after the event of the run's end, so that the server would wait for another sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.events.related import tags_as_related_resources
from prefect.exceptions import PrefectException

from flows.server.automations import ENDED
from flows.server.flow_state import ask_once

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

SCHEDULED = "prefect.flow-run.Scheduled"


@contextmanager
def announced_run() -> Iterator[None]:
    """Sends the events of the start and of the end of the flow run, around the ``with`` block. Needs a flow run's context."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is not None and run.auto_scheduled:
        announce_schedule(run)
    try:
        yield
    finally:
        # The last event of this process: it arrives after every sign of life.
        if run is not None:
            emit_event(ENDED, _resource(run), related=tags_as_related_resources(run.tags))


def announce_schedule(run: FlowRun) -> None:
    """Sends the event of a run's first state, which Prefect does not send for a run that a schedule has made.

    Args:
        run: the flow run; where the server does not answer, nothing is sent.
    """
    try:
        with ask_once() as client:
            first = min(client.read_flow_run_states(run.id), key=lambda state: state.timestamp)
    except (PrefectException, httpx.HTTPError):
        return
    related = tags_as_related_resources(run.tags)
    emit_event(SCHEDULED, _resource(run), occurred=first.timestamp, related=related, id=first.id)


def _resource(run: FlowRun) -> dict[str, str]:
    return {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name}
