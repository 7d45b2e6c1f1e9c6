"""Reading the body of a request within bounds of bytes, of memory and of time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from seq2seq_core.config.serving.serve import ConnectionSettings
from seq2seq_core.serving.front.answer import RefusedRequest

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
LINGER_SECONDS = 1.0
"""Time for which the rest of a refused body is read and dropped: a connection that is closed before would lose the answer."""


class ClientGone(Exception):
    """The client has closed the connection."""


class BodyMemory:
    """The bytes of all bodies that are held at a time.

    Args:
        most: the bound on them.
    """

    def __init__(self, most: int) -> None:
        self.most, self.held = most, 0

    def take(self, count: int) -> None:
        """Takes bytes.

        Args:
            count: how many.

        Raises:
            RefusedRequest: there is no room for them.
        """
        if self.held + count > self.most:
            raise RefusedRequest(503, "the server holds as many bytes of requests as it may; try again later")
        self.held += count

    def free(self, count: int) -> None:
        """Gives bytes back.

        Args:
            count: how many.
        """
        self.held -= count


class IncomingBody:
    """The body of one request.

    Args:
        receive: of ASGI.
        headers: of the request, in small letters.
        settings: the bounds.
        memory: of all bodies.
    """

    def __init__(self, receive: Receive, headers: Mapping[str, str], settings: ConnectionSettings, memory: BodyMemory) -> None:
        self.receive, self.settings, self.memory = receive, settings, memory
        self.stated = int(headers["content-length"]) if headers.get("content-length", "").isdecimal() else None
        self.is_read = not self.stated and "transfer-encoding" not in headers
        self.size = 0

    async def read(self) -> bytes:
        """The whole body.

        Raises:
            RefusedRequest: it is too long, takes too long, or there is no room for it.
            ClientGone: the client has closed the connection.
        """
        if self.stated is not None and self.stated > self.settings.max_body_bytes:
            raise self._too_long(f"got one of {self.stated}")
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(self.settings.body_seconds):
                while not self.is_read:
                    parts.append(await self._read_part())
        except TimeoutError:
            most = self.settings.body_seconds
            raise RefusedRequest(408, f"the body must be complete within {most:g} seconds, got {self.size} bytes") from None
        return b"".join(parts)

    async def _read_part(self) -> bytes:
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        self.memory.take(len(part))
        self.size += len(part)
        if self.size > self.settings.max_body_bytes:
            raise self._too_long("got more")
        self.is_read = not message.get("more_body", False)
        return part

    def _too_long(self, found: str) -> RefusedRequest:
        most = self.settings.max_body_bytes
        return RefusedRequest(
            413, f"expected a body of at most {most} bytes, {found} (serve.connections.max_body_bytes sets the limit)"
        )

    async def drop_rest(self) -> None:
        """Reads on for a while without keeping anything, so that the client gets to read the answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self.is_read:
                    message = await self.receive()
                    self.is_read = message["type"] == "http.disconnect" or not message.get("more_body", False)

    def free(self) -> None:
        """Gives the memory of the body back."""
        self.memory.free(self.size)
        self.size = 0
