"""Automations on the Prefect server: they mark runs whose process has died, and notify the webhook where no flow could."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flows.server.run_names import artifact_key, model_tag
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import format_seconds

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import AutomationCore, EventTrigger

HEARTBEAT = "prefect.flow-run.heartbeat"
ENDED = "seq2seq-flows.flow-run.ended"
"""Sent by a run's process after its last sign of life (:mod:`flows.server.run_events`)."""
CRASHED_BEFORE = "seq2seq-flows.flow-run.crashed"
"""Sent by a later run for one whose crash was not notified (:mod:`flows.server.earlier_runs`)."""
TAKEN = ("Pending", "Submitting", "InfrastructurePending")
"""States of a run that a worker has taken, before its process sends a sign of life."""
STARTS = ("Pending", "Running", "AwaitingConcurrencySlot", "Cancelling")
"""States in which a worker, or a person, has seen the run."""
ENDS = ("Completed", "Failed", "Cancelled", "Crashed", "Skipped", "TimedOut")
SHORTEST_WAIT_SECONDS = 10.0
"""Prefect waits at least this long for an event that does not come."""
LATE_VARIABLE = "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS"
LATE_SECONDS = 300.0
"""The least value of that variable with which the event of a late run waits for no other (:mod:`flows.server.run_events`)."""


def ensure_automations(client: SyncPrefectClient, settings: Settings) -> list[str]:
    """Creates, updates or removes the automations; returns a line for each. A second call changes nothing.

    Args:
        client: the server's.
        settings: ``runtime.flow`` has the times, ``runtime.flow.notify`` the webhook.
    """
    flow, model_name = settings.runtime.flow, settings.register_.model_name
    lines = [_ensure(client, dead_runs(model_name, flow.dead_after_seconds))]
    url = flow.notify.address(os.environ)
    notifies = bool(url) and "failure" in flow.notify.on
    block = _ensure_webhook(artifact_key(model_name, "webhook"), url) if notifies else UUID(int=0)
    marked_seconds = _late_mark_seconds(client)
    late = late_runs(model_name, block, flow.late_after_seconds, marked_seconds)
    for automation in (crashed_runs(model_name, block), late):
        lines += [_ensure(client, automation)] if notifies else _remove(client, automation.name)
    if notifies and marked_seconds < LATE_SECONDS:
        lines.append(
            "note: the notification of a late run that was due within 5 min of its deployment may take 15 min; it comes in time if "
            f"the Prefect server starts with {LATE_VARIABLE}={LATE_SECONDS:.0f}"
        )
    return lines


def dead_runs(model_name: str, silent_seconds: float) -> AutomationCore:
    """Marks a run of a model as *Crashed* when its process has sent no sign of life for some time, or never began.

    A worker that dies just after it has taken a run leaves it *Pending*.

    Args:
        model_name: ``register.model_name``.
        silent_seconds: the time.
    """
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore

    silence = format_seconds(silent_seconds)
    message = f"the process of this run has sent no sign of life for {silence}: it was killed, never began, or its machine is down"
    return AutomationCore(
        name=f"seq2seq-flows: dead runs of {model_name}",
        description="Made by `s2s setup-prefect` (runtime.flow.dead_after_seconds).",
        trigger=_missing({HEARTBEAT, *_events(*TAKEN)}, {HEARTBEAT, ENDED, *_events(*ENDS)}, model_tag(model_name), silent_seconds),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=message)],
    )


def crashed_runs(model_name: str, webhook: UUID) -> AutomationCore:
    """Notifies the webhook of each crashed run of a model; a flow that fails in another way does it itself.

    Args:
        model_name: ``register.model_name``.
        webhook: the id of the block with its address.
    """
    from prefect.events.actions import CallWebhook
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    trigger = EventTrigger(
        expect={CRASHED_BEFORE, *_events("Crashed")},
        match_related=_tagged(model_tag(model_name)),
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
    )
    return AutomationCore(
        name=name_of_crashed_runs(model_name),
        description="Made by `s2s setup-prefect` (runtime.flow.notify).",
        trigger=trigger,
        actions=[CallWebhook(block_document_id=webhook, payload=_body("crash", "flow_run.state.message"))],
    )


def name_of_crashed_runs(model_name: str) -> str:
    """The name of :func:`crashed_runs`.

    Args:
        model_name: ``register.model_name``.
    """
    return f"seq2seq-flows: webhook of {model_name}, crashed runs"


def late_runs(model_name: str, webhook: UUID, late_seconds: float, marked_seconds: float) -> AutomationCore:
    """Notifies the webhook of each run of a model that no worker has started for some time.

    Args:
        model_name: ``register.model_name``.
        webhook: the id of the block with its address.
        late_seconds: the time since the run was due.
        marked_seconds: the part of it after which the server marks the run as late.
    """
    from prefect.events.actions import CallWebhook
    from prefect.events.schemas.automations import AutomationCore

    # A sign of life is no news, unless the event of the start waits for another (flows/server/run_events.py).
    signs = {HEARTBEAT, ENDED, *_events(*STARTS, *ENDS)}
    wait_seconds = max(SHORTEST_WAIT_SECONDS, late_seconds - marked_seconds)
    deployment, late = "(deployment.name or 'a deployment')", format_seconds(late_seconds)
    waiting = f"'no worker has started this run of ' ~ {deployment} ~ ', which was due more than {late} ago; is one running?'"
    started = f"'a worker has started this run of ' ~ {deployment} ~ ' only more than {late} after it was due'"
    message = f"({started} if flow_run.start_time else {waiting})"
    return AutomationCore(
        name=f"seq2seq-flows: webhook of {model_name}, runs without a worker",
        description="Made by `s2s setup-prefect` (runtime.flow.notify, runtime.flow.late_after_seconds).",
        trigger=_missing(_events("Late"), signs, model_tag(model_name), wait_seconds),
        actions=[CallWebhook(block_document_id=webhook, payload=_body("environment_fault", message))],
    )


def _late_mark_seconds(client: SyncPrefectClient) -> float:
    """The time after which the server marks a run that nobody has started as late."""
    from pydantic import TypeAdapter

    services = client.request("GET", "/admin/settings").json()["server"]["services"]
    return TypeAdapter(timedelta).validate_python(services["late_runs"]["after_seconds"]).total_seconds()


def _missing(after: set[str], expect: set[str], tag: str, seconds: float) -> EventTrigger:
    """Fires for a run where no expected event follows within some time."""
    from prefect.events.schemas.automations import EventTrigger, Posture

    return EventTrigger(
        after=after,
        expect=expect,
        match_related=_tagged(tag),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=seconds),
    )


def _events(*states: str) -> set[str]:
    return {f"prefect.flow-run.{state}" for state in states}


def _tagged(tag: str) -> dict[str, str | list[str]]:
    return {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{tag}"}


def _body(kind: str, message: str) -> str:
    """The template of a notification, in the form of those of the flow (``flows/reports/webhook.py``).

    Args:
        kind: the kind of the failure.
        message: an expression of Jinja.
    """
    from prefect.utilities.urls import url_for

    nobody = UUID(int=0)
    page = (url_for("flow-run", nobody) or "").removesuffix(str(nobody))
    url = f"flow_run|ui_url or '{page}' ~ flow_run.id"  # a server need not know its own address
    values: dict[str, Any] = {
        "event": "failure",
        "text": f"{{{{ ((deployment.name or flow_run.name) ~ ': failure: ' ~ {message}) }}}}",
        "flow_run": {"id": "{{ flow_run.id|string }}", "name": "{{ flow_run.name }}", "url": f"{{{{ {url} }}}}"},
        "failure": {"kind": kind, "message": f"{{{{ {message} }}}}"},
        "seconds": 0.0, "stages": [], "notes": [], "metrics": {}, "scores": [], "model": None, "links": {},
    }  # fmt: skip
    text = json.dumps(values, ensure_ascii=False)
    return text.replace('"{{ ', "{{ (").replace(' }}"', ")|tojson }}")


def _ensure(client: SyncPrefectClient, automation: AutomationCore) -> str:
    """Creates an automation, or updates one of that name that differs."""
    present = client.read_automations_by_name(automation.name)
    if not present:
        client.create_automation(automation)
        return f"automation {automation.name}: created"
    if type(automation).model_validate(present[0].model_dump(exclude={"id"})) == automation:
        return f"automation {automation.name}: there already"
    client.update_automation(present[0].id, automation)
    return f"automation {automation.name}: updated"


def _remove(client: SyncPrefectClient, name: str) -> list[str]:
    """Removes an automation; returns a line if there was one."""
    present = client.read_automations_by_name(name)
    for automation in present:
        client.delete_automation(automation.id)
    return [f"automation {name}: removed"] if present else []


def _ensure_webhook(name: str, url: str) -> UUID:
    """The id of the block on the server that keeps the webhook's address, encrypted."""
    from prefect.blocks.webhook import Webhook
    from pydantic import SecretStr

    saved = Webhook(method="POST", url=SecretStr(url), headers={"content-type": "application/json"}).save(name, overwrite=True)
    return UUID(str(saved))
