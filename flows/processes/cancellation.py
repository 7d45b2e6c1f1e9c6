"""A request to stop all processes that a flow run has started."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cancellation:
    """A flag that any thread can set once; setting it calls the registered stop functions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops: list[Callable[[], None]] = []
        self._requested = threading.Event()

    @property
    def is_requested(self) -> bool:
        """Whether the cancellation was requested."""
        return self._requested.is_set()

    def wait(self, seconds: float) -> None:
        """Waits for a request.

        Args:
            seconds: longest wait.
        """
        self._requested.wait(seconds)

    def request(self) -> None:
        """Calls every registered stop function; functions registered later are called at once."""
        with self._lock:
            self._requested.set()
            stops = tuple(self._stops)
        for stop in stops:
            stop()

    @contextmanager
    def stops(self, stop: Callable[[], None]) -> Iterator[None]:
        """Registers ``stop`` for the ``with`` block; calls it at once if the cancellation was requested before.

        Args:
            stop: called in the requesting thread; must not block and must be idempotent.
        """
        with self._lock:
            self._stops.append(stop)
            late = self._requested.is_set()
        if late:
            stop()
        try:
            yield
        finally:
            with self._lock:
                self._stops.remove(stop)
