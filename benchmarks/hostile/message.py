"""A request as bytes, and what may come of it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Message:
    """A request.

    Attributes:
        data: all of its bytes.
        method: of HTTP, which says whether an answer has a body.
        expected: statuses of which one must come; empty: any but the faults.
        may_be_closed: whether its head is so broken that the connection may be closed without an answer.
        leaves: whether the client leaves before the answer.
    """

    data: bytes
    method: str = "POST"
    expected: tuple[str, ...] = ()
    may_be_closed: bool = False
    leaves: bool = False


Kind = Callable[[random.Random], Message]


def to_json(content: Any) -> bytes:
    """JSON; lone surrogates are escaped, NaN and infinities are written as Python does."""
    return json.dumps(content).encode()


def post(
    body: bytes,
    *expected: str,
    content_type: str | None = JSON,
    headers: dict[str, str] | None = None,
    path: str = "/invocations",
    length: int | None = None,
) -> Message:
    """A request with a body.

    Args:
        body: its body.
        expected: statuses of which one must come.
        content_type: of the body; None: none is stated.
        headers: further ones.
        path: asked for.
        length: stated; None: the true one.
    """
    lines = {"Host": "x", "Content-Length": str(len(body) if length is None else length)}
    lines |= {"Content-Type": content_type} if content_type is not None else {}
    lines |= headers or {}
    return Message(head("POST", path, lines) + body, expected=expected)


def head(method: str, path: str, headers: dict[str, str]) -> bytes:
    """The head of a request."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
