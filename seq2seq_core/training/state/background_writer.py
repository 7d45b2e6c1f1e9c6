"""Writes one thing at a time beside the training thread, which hears of its failure."""

from __future__ import annotations

import threading
from collections.abc import Callable


class BackgroundWriter:
    """Does what it is given in a thread of its own, or at once.

    Args:
        in_background: whether there is a thread; without one, :meth:`run` returns when the work is done.
    """

    def __init__(self, in_background: bool) -> None:
        self.in_background = in_background
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None

    def run(self, work: Callable[[], None]) -> None:
        """Begins a piece of work as soon as the one before is done.

        Args:
            work: must not touch anything that the caller goes on to change.

        Raises:
            Exception: the work before failed; this one is not begun.
        """
        self.wait()
        if not self.in_background:
            work()
            return
        self._thread = threading.Thread(target=self._attempt, args=(work,), name="checkpoint-writer")
        self._thread.start()

    def wait(self) -> None:
        """Returns when nothing is being written.

        Raises:
            Exception: the last piece of work failed.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.check()

    def check(self) -> None:
        """Raises the failure of the last piece of work, if it has ended in one; does not wait."""
        if (failure := self._failure) is not None:
            self._failure = None
            raise failure

    def _attempt(self, work: Callable[[], None]) -> None:
        """Keeps a failure for whoever waits or checks."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised again in the training thread
            self._failure = error
