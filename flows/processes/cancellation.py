"""A request to stop everything that a flow run has started."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cancellation:
    """Set once, from any thread; whoever runs something is called back to stop it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops: list[Callable[[], None]] = []
        self._is_requested = False

    @property
    def is_requested(self) -> bool:
        """Whether everything is to stop."""
        return self._is_requested

    def request(self) -> None:
        """Stops all that runs, and all that starts from now on at once."""
        with self._lock:
            self._is_requested = True
            stops = tuple(self._stops)
        for stop in stops:
            stop()

    @contextmanager
    def stops(self, stop: Callable[[], None]) -> Iterator[None]:
        """Has ``stop`` called when the request comes during the ``with`` block, or at once where it came before.

        Args:
            stop: called from the thread that requests; must not block and must stand a second call.
        """
        with self._lock:
            self._stops.append(stop)
            late = self._is_requested
        if late:
            stop()
        try:
            yield
        finally:
            with self._lock:
                self._stops.remove(stop)
