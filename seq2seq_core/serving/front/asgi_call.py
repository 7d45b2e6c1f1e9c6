"""Calls of an ASGI application whose body is already read, and whose answer is not yet sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from seq2seq_core.serving.front.answer import JSON_TYPE, Answer

Scope = Mapping[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
DROPPED = ("content-length", "content-type", "date", "server", "connection")
"""Headers of an inner answer that are written anew."""


async def call_application(application: Callable[..., Awaitable[None]], scope: Scope, body: bytes, content_type: str) -> Answer:
    """The answer of an application.

    Args:
        application: of ASGI.
        scope: of the request.
        body: of the request.
        content_type: of the body.
    """
    headers = [
        (name, value) for name, value in scope["headers"] if name not in (b"content-type", b"content-length", b"transfer-encoding")
    ]
    headers += [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    given, parts, status, found = False, list[bytes](), 500, dict[str, str]()

    async def receive() -> dict[str, Any]:
        nonlocal given
        if given:
            await asyncio.Event().wait()  # whether the client has left is watched outside
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal status, found
        if message["type"] == "http.response.start":
            status = message["status"]
            found = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        else:
            parts.append(message.get("body", b""))

    await application({**scope, "headers": headers}, receive, send)
    kept = {name: value for name, value in found.items() if name not in DROPPED}
    return Answer(status, b"".join(parts), found.get("content-type", JSON_TYPE), kept)


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers of a request, by name in small letters; the last of several.

    Args:
        scope: of the request.
    """
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
