"""Slots of concurrency limits while the Prefect server is away: a task goes on without one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient

from flows.server.presence import is_away


@contextmanager
def no_slots_while_away() -> Iterator[None]:
    """Lets every task of the ``with`` block start and end without a server that has gone.

    Prefect asks the server for a slot before each task that has a tag, and gives it back afterwards. It retries for about a minute,
    and then fails the task. A limit protects what tasks share; who counts its slots is gone, and the work of the run is worth more.
    Both are public methods of Prefect's client (3.8.8), which has no setting for this.
    """
    take, give_back = PrefectClient.increment_concurrency_slots_with_lease, PrefectClient.release_concurrency_slots_with_lease

    async def take_if_present(self: PrefectClient, *arguments: Any, **named: Any) -> httpx.Response:
        if not is_away():
            try:
                return await take(self, *arguments, **named)
            except httpx.TransportError:  # it went in between
                if not is_away():
                    raise
        return httpx.Response(200, json={"lease_id": str(uuid.uuid4()), "limits": []})

    async def give_back_if_present(self: PrefectClient, lease_id: UUID) -> httpx.Response:
        if not is_away():
            try:
                return await give_back(self, lease_id)
            except httpx.TransportError:
                if not is_away():
                    raise
        return httpx.Response(200, json={})

    PrefectClient.increment_concurrency_slots_with_lease = take_if_present  # type: ignore[method-assign, assignment]
    PrefectClient.release_concurrency_slots_with_lease = give_back_if_present  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        PrefectClient.increment_concurrency_slots_with_lease = take  # type: ignore[method-assign]
        PrefectClient.release_concurrency_slots_with_lease = give_back  # type: ignore[method-assign]
