"""What the automations of a Prefect server have seen: it loads them and evaluates events after it has answered."""

from __future__ import annotations

import uuid
from typing import Any

from .waiting import wait_until

PAUSE_SECONDS = 1.0


def wait_until_automations_work(client: Any) -> None:
    """Waits until the server evaluates events by every automation made before: it loads them in turn, after its answers.

    Args:
        client: of the server.
    """
    from prefect.events import emit_event
    from prefect.events.actions import DoNothing
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    name = f"probe.{uuid.uuid4().hex[:8]}"
    trigger = EventTrigger(expect={name}, posture=Posture.Reactive, threshold=1)
    probe = client.create_automation(AutomationCore(name=name, trigger=trigger, actions=[DoNothing()]))

    def is_loaded() -> bool:
        emit_event(name, {"prefect.resource.id": name})
        return count_events(client, "prefect.automation.triggered", f"prefect.automation.{probe}") > 0

    wait_until(is_loaded, "an automation that works", pause=PAUSE_SECONDS)
    client.delete_automation(probe)


def count_events(client: Any, event: str, resource: str) -> int:
    """How many events of a name the server has stored of a resource.

    Args:
        client: of the server.
        event: its name.
        resource: its id.
    """
    asked = {"filter": {"resource": {"id": [resource]}, "event": {"name": [event]}}}
    return len(client.request("POST", "/events/filter", json=asked).json()["events"])
