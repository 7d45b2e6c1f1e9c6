from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import prefect
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.events.schemas.events import Event
from prefect.events.worker import EventsWorker

from flows.server import presence
from flows.server.presence import nothing_sent_while_away

EVENT = Event.model_validate({"event": "toy", "resource": {"prefect.resource.id": "toy"}})


def test_nothing_is_sent_while_the_server_is_away_and_it_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[None] = []
    sent: list[Any] = []

    async def send(self: Any, item: Any) -> None:
        sent.append(item)

    def ask() -> Exception:
        asked.append(None)
        return ConnectionRefusedError()

    assert hasattr(EventsWorker, "_handle"), f"Prefect {prefect.__version__} sends events another way"
    monkeypatch.setattr(EventsWorker, "_handle", send)
    monkeypatch.setattr(PrefectClient, "create_logs", send)
    monkeypatch.setattr(presence, "open_probe", lambda url: nullcontext(ask))
    monkeypatch.setattr(presence, "AWAY_SECONDS", 1e9)

    async def send_all() -> None:
        for _ in range(100):
            await EventsWorker._handle(None, EVENT)  # type: ignore[arg-type]
            await PrefectClient.create_logs(None, [{"message": "toy"}])  # type: ignore[arg-type]

    with nothing_sent_while_away():
        asyncio.run(send_all())
    assert (len(asked), sent) == (2, []), "once for all that was to be sent, and once at the end"
    asyncio.run(send_all())
    assert sent == [], "the process leaves without sending"


def test_everything_is_sent_to_a_server_that_answers(prefect_api: str) -> None:
    """Through Prefect's own threads, so that a release in which they send another way fails here."""
    import logging
    import uuid

    from prefect import flow, get_run_logger
    from prefect.client.orchestration import get_client
    from prefect.events import emit_event
    from prefect.runtime import flow_run

    from ..waiting import wait_until

    resource, seen = f"toy.{uuid.uuid4().hex}", []

    @flow(name="retrain")
    def chatty() -> None:
        seen.append(flow_run.id)
        get_run_logger().log(logging.INFO, "a line")
        emit_event("toy", {"prefect.resource.id": resource})

    calls = {"events": 0, "logs": 0}
    with pytest.MonkeyPatch.context() as patch, nothing_sent_while_away():
        count(patch, EventsWorker, "_handle", calls, "events")
        count(patch, PrefectClient, "create_logs", calls, "logs")
        chatty()
        asked = {"logs": {"flow_run_id": {"any_": [seen[0]]}}}
        with get_client(sync_client=True) as client:
            wait_until(lambda: "a line" in client.request("POST", "/logs/filter", json=asked).text, "the line")
            by_resource = {"filter": {"resource": {"id": [resource]}}}
            wait_until(lambda: client.request("POST", "/events/filter", json=by_resource).json()["total"] == 1, "the event")
        patch.undo()
    assert min(calls.values()) > 0, calls


def count(patch: pytest.MonkeyPatch, owner: type, name: str, calls: dict[str, int], kind: str) -> None:
    """Counts the calls of a method."""
    method = getattr(owner, name)

    async def counted(self: Any, item: Any) -> None:
        calls[kind] += 1
        await method(self, item)

    patch.setattr(owner, name, counted)
