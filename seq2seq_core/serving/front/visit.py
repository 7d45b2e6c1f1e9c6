"""A request as it passes through the server: its deadline, and what is stopped when its client leaves."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seq2seq_core.serving.batching.ticket import Ticket

if TYPE_CHECKING:
    from seq2seq_core.serving.front.served_version import ServedVersion


@dataclass
class Visit:
    """One request.

    Attributes:
        served: the version that answers it, although another may be exchanged for it meanwhile.
        seconds: the time that it may take.
        started: when it came, by the monotonic clock.
        request_id: names it in the answer and in the log.
        rows: rows that were submitted.
        size: bytes of its body.
    """

    served: ServedVersion
    seconds: float
    started: float = field(default_factory=time.monotonic)
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    rows: int = 0
    size: int = 0
    _tickets: list[Ticket] = field(default_factory=list)
    _is_over: bool = False
    _workers: int = 0
    _end_turn: Callable[[], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds_left(self) -> float:
        """The time until its deadline."""
        return max(0.0, self.started + self.seconds - time.monotonic())

    def hold(self, ticket: Ticket) -> None:
        """Keeps a ticket that is abandoned with this request.

        Args:
            ticket: of the batcher.
        """
        with self._lock:
            self.rows += len(ticket.rows)
            self._tickets.append(ticket)
            if self._is_over:
                ticket.abandon()
            self._give_turn()

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._is_over

    def take_turn(self, end: Callable[[], None]) -> None:
        """It is this request's turn to be read.

        Args:
            end: ends the turn; any thread may call it. Called once: when the rows wait, or the request and its threads have ended.
        """
        with self._lock:
            self._end_turn = end
            self._give_turn_if_idle()

    def begin_work(self) -> None:
        """A thread works on the request."""
        with self._lock:
            self._workers += 1

    def end_work(self) -> None:
        """A thread has ended."""
        with self._lock:
            self._workers -= 1
            self._give_turn_if_idle()

    def _give_turn_if_idle(self) -> None:
        if self._is_over and not self._workers:
            self._give_turn()

    def _give_turn(self) -> None:
        if self._end_turn is not None:
            self._end_turn()
            self._end_turn = None

    def abandon(self, reason: str) -> None:
        """Stops the work on this request; its thread is free at once.

        Args:
            reason: why.
        """
        with self._lock:
            self._is_over = True
            for ticket in self._tickets:
                ticket.abandon(reason)
            self._give_turn_if_idle()


CURRENT: ContextVar[Visit] = ContextVar("visit")
"""The request of this task or thread."""
