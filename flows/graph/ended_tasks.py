"""Waiting for whichever task of a run ends next, with an eye on whether the run was cancelled."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

from seq2seq_core.errors import Interrupted

CANCELLED = "the flow run was cancelled"
WATCH_SECONDS = 3.0
"""How often it is looked up whether somebody has cancelled the run."""

Name = TypeVar("Name")


def next_ended(ended: SimpleQueue[Name], is_cancelled: Callable[[], bool]) -> Name:
    """The next task that ends.

    Args:
        ended: receives the names of tasks as they end.
        is_cancelled: whether somebody has cancelled the run; looked up every few seconds.

    Raises:
        Interrupted: somebody has.
    """
    while True:
        try:
            return ended.get(timeout=WATCH_SECONDS)
        except Empty:
            if is_cancelled():
                raise Interrupted(CANCELLED) from None
