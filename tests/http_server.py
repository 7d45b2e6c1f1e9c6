"""A server of this machine that answers requests while a test or a benchmark runs."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class QuietHandler(http.server.BaseHTTPRequestHandler):
    """Logs no requests; classes below it answer them."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Drops a line of the log."""

    def read_body(self) -> bytes:
        """The body of the request."""
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(self, status: int, reason: str | None = None) -> None:
        """Sends an answer without a body."""
        self.send_response(status, reason)
        self.end_headers()


@contextmanager
def http_server(handler: Callable[..., QuietHandler]) -> Iterator[int]:
    """The port of a server on 127.0.0.1 for the ``with`` block.

    Args:
        handler: the class that answers requests.
    """
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
