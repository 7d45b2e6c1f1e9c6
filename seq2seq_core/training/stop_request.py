"""Ctrl-C and SIGTERM as a stop request that the trainer checks between updates."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from seq2seq_core.errors import EXIT_INTERRUPTED, EXIT_TERMINATED

logger = logging.getLogger(__name__)


class StopSeen(Exception):
    """The process was asked to stop: the current work is abandoned."""


class StopRequest:
    """Whether the process was asked to stop.

    Attributes:
        signal: the first signal received, or None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of a process that was asked to stop: 130 after SIGINT, 143 after SIGTERM."""
        return exit_code_after(self.signal)

    def check(self) -> None:
        """Raises if the process was asked to stop.

        Raises:
            StopSeen: it was.
        """
        if self.signal is not None:
            raise StopSeen

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Notes a signal; a second Ctrl-C stops at once.

        Raises:
            KeyboardInterrupt: SIGINT came a second time.
        """
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal is None:
            self.signal = signal.Signals(number)
            again = "; Ctrl-C again stops at once" if number == signal.SIGINT else ""
            logger.warning("%s: saving the training state after this update%s", self.signal.name, again)


def exit_code_after(number: signal.Signals | None) -> int:
    """The exit code of a process that was asked to stop: 130 after SIGINT, 143 after SIGTERM."""
    return EXIT_TERMINATED if number is signal.SIGTERM else EXIT_INTERRUPTED


@contextmanager
def listen_for_stop() -> Iterator[StopRequest]:
    """Handles SIGINT and SIGTERM during a ``with`` block, then restores the earlier handlers.

    Outside the main thread, where Python allows no handlers, signals keep their earlier meaning.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        logger.debug("not in the main thread: signals keep their earlier meaning")
        yield request
        return
    earlier = {number: signal.signal(number, request.receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
