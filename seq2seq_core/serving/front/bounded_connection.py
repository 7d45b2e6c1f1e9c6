"""Connections that cannot hold the server: a bound on the time of a request's head, and on their number.

Half of a head never reaches an ASGI application, so both bounds are in the server's protocol class.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from seq2seq_core.config.serving.serve import ConnectionSettings


class BoundedConnection(H11Protocol):
    """uvicorn's protocol of HTTP/1.1 with these bounds.

    Args:
        settings: the bounds.
        others: as uvicorn calls it.
    """

    def __init__(self, settings: ConnectionSettings, *others: Any, **named: Any) -> None:
        super().__init__(*others, **named)
        self.settings = settings
        self._timer: asyncio.TimerHandle | None = None
        self._is_refused = False
        self.app_state = {**self.app_state, "abort": self.abort}

    @property
    def is_idle(self) -> bool:
        """Whether it is without a request that is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def abort(self) -> None:
        """Closes the connection without sending what is left."""
        if not self._is_refused:
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes a connection, in place of the one that has been idle for longest where there are too many."""
        idle = (other for other in self.connections if isinstance(other, BoundedConnection) and other.is_idle)
        if len(self.connections) >= self.settings.max_connections:
            if (oldest := min(idle, key=lambda one: one.since, default=None)) is None:
                self._is_refused = True
                transport.abort()
                return
            self.connections.discard(oldest)
            oldest.abort()
        # asyncio does this only for sockets of a stated protocol; without it half of an answer waits for an acknowledgement.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        self.since = self.loop.time()
        self._bound_head()

    def data_received(self, data: bytes) -> None:
        """Reads what has come; the head of a further request has its time from its first byte on."""
        if not self._is_refused:
            super().data_received(data)
            self._bound_head()

    def on_response_complete(self) -> None:
        """Begins the wait for a further request."""
        self.since = self.loop.time()
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._bound_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self._unbound_head()
        if not self._is_refused:
            super().connection_lost(exc)

    def _bound_head(self) -> None:
        """Starts the timer while the head of a request is incomplete, and stops it once it is complete."""
        if self.conn.their_state is not h11.IDLE:
            self._unbound_head()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.settings.header_seconds, self._end_head)

    def _unbound_head(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_head(self) -> None:
        self._timer = None
        if self.is_idle and self.conn.their_state is h11.IDLE:
            self.abort()


def connection_class(settings: ConnectionSettings) -> type[asyncio.Protocol]:
    """The class of a server's connections.

    Args:
        settings: their bounds.
    """

    class Connection(BoundedConnection):
        """A connection with these bounds."""

        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(settings, config, server_state, app_state, _loop)

    return Connection
