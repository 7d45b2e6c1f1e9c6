"""Ctrl-C and SIGTERM while the database works: Python's handlers wait until a statement returns, so another thread ends it."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM)
_watched: list[Any] = []
"""The connections of this process; libraries open some of their own."""


def watch_connection(connection: Any) -> None:
    """A signal ends the statement that a connection executes, inside :func:`ends_on_signals`.

    Args:
        connection: of DuckDB.
    """
    if threading.current_thread() is threading.main_thread():  # which alone receives signals
        _watched.append(connection)


class _Watch(threading.Thread):
    """Ends the running statements when a signal comes.

    Attributes:
        numbers: of the signals that came.
    """

    def __init__(self) -> None:
        super().__init__(name="interrupts", daemon=True)
        self.numbers: list[int] = []
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self.start()
        self._before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        """Reads the numbers that the system writes, until :meth:`close`."""
        while numbers := self._reader.recv(64):
            ending = [number for number in numbers if number in ENDING]
            self.numbers += ending
            for connection in tuple(_watched) if ending else ():
                with suppress(Exception):  # one that was closed meanwhile has no statement
                    connection.interrupt()

    def close(self) -> None:
        """Ends the thread, which then knows of all signals."""
        signal.set_wakeup_fd(self._before)
        self._writer.close()
        self.join()
        _watched.clear()
        self._reader.close()


@contextmanager
def ends_on_signals() -> Iterator[None]:
    """A signal ends the statement that runs in the block, and then its handler's exception leaves the block.

    Without it the exception comes minutes late, or is lost: the database makes an error of its own of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    watch = _Watch()
    try:
        yield
    except Exception as error:
        watch.close()
        _handle(watch.numbers, error)
        raise
    except BaseException:
        watch.close()
        raise
    watch.close()
    _handle(watch.numbers)


def _handle(numbers: list[int], error: Exception | None = None) -> None:
    """Calls the handler of the first signal that came, because a library may have taken its exception."""
    handler = signal.getsignal(numbers[0]) if numbers else None
    if callable(handler):
        try:
            handler(numbers[0], None)
        except BaseException as raised:
            raise raised from error
