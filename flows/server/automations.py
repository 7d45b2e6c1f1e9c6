"""Automations on the Prefect server: they mark runs whose process has died, and tell the webhook what no flow could tell."""

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
STARTS = ("Pending", "Running", "AwaitingConcurrencySlot")
"""States in which a worker has seen the run."""
ENDS = ("Completed", "Failed", "Cancelled", "Crashed", "Skipped", "TimedOut")


def ensure_automations(client: SyncPrefectClient, settings: Settings) -> list[str]:
    """Creates, updates or removes the automations; returns a line for each. A second call changes nothing.

    Args:
        client: the server's.
        settings: ``runtime.flow`` has the times, ``runtime.flow.notify`` the webhook.
    """
    flow, model_name = settings.runtime.flow, settings.register_.model_name
    lines = [_ensure(client, dead_runs(model_name, flow.dead_after_seconds))]
    url = flow.notify.address(os.environ)
    is_told = bool(url) and "failure" in flow.notify.on
    block = _ensure_webhook(artifact_key(model_name, "webhook"), url) if is_told else UUID(int=0)
    for automation in (crashed_runs(model_name, block), late_runs(model_name, block, flow.late_after_seconds)):
        lines += [_ensure(client, automation)] if is_told else _remove(client, automation.name)
    return lines


def dead_runs(model_name: str, silent_seconds: float) -> AutomationCore:
    """Marks a run of a model as *Crashed* when its process has sent no sign of life for some time.

    Args:
        model_name: ``register.model_name``.
        silent_seconds: the time.
    """
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore

    silence = format_seconds(silent_seconds)
    message = f"the process of this run has sent no sign of life for {silence}: it was killed, or its machine is down"
    return AutomationCore(
        name=f"seq2seq-flows: dead runs of {model_name}",
        description="Made by `s2s setup-prefect` (runtime.flow.dead_after_seconds).",
        trigger=_missing({HEARTBEAT}, {HEARTBEAT, *_events(*ENDS)}, model_tag(model_name), silent_seconds),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=message)],
    )


def crashed_runs(model_name: str, webhook: UUID) -> AutomationCore:
    """Tells the webhook of each crashed run of a model; a flow that fails in another way tells it itself.

    Args:
        model_name: ``register.model_name``.
        webhook: the id of the block with its address.
    """
    from prefect.events.actions import CallWebhook
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    trigger = EventTrigger(
        expect=_events("Crashed"),
        match_related=_tagged(model_tag(model_name)),
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
    )
    return AutomationCore(
        name=f"seq2seq-flows: webhook of {model_name}, crashed runs",
        description="Made by `s2s setup-prefect` (runtime.flow.notify).",
        trigger=trigger,
        actions=[CallWebhook(block_document_id=webhook, payload=_body("crash", "flow_run.state.message"))],
    )


def late_runs(model_name: str, webhook: UUID, late_seconds: float) -> AutomationCore:
    """Tells the webhook of each run of a model that no worker has started for some time.

    Args:
        model_name: ``register.model_name``.
        webhook: the id of the block with its address.
        late_seconds: the time after Prefect found that the run is late.
    """
    from prefect.events.actions import CallWebhook
    from prefect.events.schemas.automations import AutomationCore

    due = f"which was due more than {format_seconds(late_seconds)} ago; is one running?"
    message = f"'no worker has started this run of ' ~ (deployment.name or 'a deployment') ~ ', {due}'"
    return AutomationCore(
        name=f"seq2seq-flows: webhook of {model_name}, runs without a worker",
        description="Made by `s2s setup-prefect` (runtime.flow.notify, runtime.flow.late_after_seconds).",
        trigger=_missing(_events("Late"), _events(*STARTS, *ENDS), model_tag(model_name), late_seconds),
        actions=[CallWebhook(block_document_id=webhook, payload=_body("environment_fault", message))],
    )


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
    values: dict[str, Any] = {
        "event": "failure",
        "text": f"{{{{ ((deployment.name or flow_run.name) ~ ': failure: ' ~ {message}) }}}}",
        "flow_run": {"id": "{{ flow_run.id|string }}", "name": "{{ flow_run.name }}", "url": "{{ flow_run|ui_url }}"},
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
