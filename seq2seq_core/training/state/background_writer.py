"""A background thread that writes one thing at a time and reports failures to the training thread."""

from __future__ import annotations

import threading
from collections.abc import Callable


class BackgroundWriter:
    """Runs work in a separate thread, or at once.

    Args:
        in_background: whether there is a thread; without one, :meth:`run` returns when the work is done.
    """

    def __init__(self, in_background: bool) -> None:
        self.in_background = in_background
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None

    def run(self, work: Callable[[], None]) -> None:
        """Starts a piece of work after the previous one has ended.

        Args:
            work: must not use anything that the caller changes later.

        Raises:
            Exception: the previous work failed; this one is not started.
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
        """Raises the failure of the last piece of work, if it has failed; does not wait."""
        if (failure := self._failure) is not None:
            self._failure = None
            raise failure

    def _attempt(self, work: Callable[[], None]) -> None:
        """Keeps a failure for whoever waits or checks."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised again in the training thread
            self._failure = error
