"""Large requests are read one after another: reading takes Python's lock and many times the body's memory."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from seq2seq_core.serving.front.visit import CURRENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from seq2seq_core.serving.front.visit import Visit

LARGE_BYTES = 262_144
"""A body of as many bytes or more is large."""


class LargeRequests:
    """Gives large requests their turn. A request keeps it until its rows wait to be decoded, or no thread works on it any more."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def wait(self, visit: Visit) -> None:
        """Returns when it is a request's turn.

        Args:
            visit: the request.
        """
        await self._turn.acquire()
        loop = asyncio.get_running_loop()

        def release() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(self._turn.release)

        visit.take_turn(release)


class RequestThreads(ThreadPoolExecutor):
    """Threads that tell a request when they begin to work for it and when they have ended: maybe long after its client left."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """See :class:`concurrent.futures.Executor`."""
        visit = CURRENT.get(None)
        future = super().submit(function, *arguments, **named)
        if visit is not None:
            visit.begin_work()
            future.add_done_callback(lambda _: visit.end_work())
        return future
