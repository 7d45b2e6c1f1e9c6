"""Standard output whose reader has gone (``s2s predict < sources.txt | head -1``): the command ends at once and says nothing."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from seq2seq_core.errors import EXIT_UNREAD


def is_unread() -> bool:
    """Whether nobody can read standard output any more."""
    try:
        descriptor = sys.__stdout__.fileno() if sys.__stdout__ else -1
        poll = select.poll()
        poll.register(descriptor, 0)
    except (OSError, ValueError):
        return False  # it is closed, or no file
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


@contextmanager
def ends_when_unread() -> Iterator[None]:
    """Ends the process with :data:`EXIT_UNREAD` if the ``with`` block ends because standard output has no reader.

    What Python still keeps for standard output is dropped, because Python would complain about it while it exits.
    """
    try:
        yield
    except BrokenPipeError:
        if not is_unread():
            raise
        _leave()
    except SystemExit as end:
        try:
            if sys.stdout:  # None where it was closed from the start (>&-)
                sys.stdout.flush()
        except BrokenPipeError:
            _leave()
        if isinstance(end.__context__, BrokenPipeError):  # Typer and rich met it, and end with the code of a crash
            _leave()
        raise


def _leave() -> None:
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())  # type: ignore[union-attr]
    raise SystemExit(EXIT_UNREAD) from None
