"""A webhook that keeps what it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.http_server import QuietHandler, http_server


@contextmanager
def webhook_server() -> Iterator[tuple[str, list[Any]]]:
    """An address, and the bodies that were posted to it; ``/no`` refuses, and a place below it gives its path as the reason."""
    heard: list[Any] = []

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.read_body()))
            reason = f"no {self.path}" if self.path.startswith("/no/") else None
            self.answer(403 if self.path.startswith("/no") else 204, reason)

    with http_server(Handler) as port:
        yield f"http://127.0.0.1:{port}", heard
