"""Wait for the next task of a run to end, or for the run to be cancelled."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

from seq2seq_core.errors import Interrupted

CANCELLED = "the flow run was cancelled"
WATCH_SECONDS = 3.0
"""Time between two checks of whether the run was cancelled."""

Name = TypeVar("Name")


def next_ended(ended: SimpleQueue[Name], is_cancelled: Callable[[], bool]) -> Name:
    """The name of the next task that ends.

    Args:
        ended: the queue of the names of ended tasks.
        is_cancelled: whether the run was cancelled; called every few seconds.

    Raises:
        Interrupted: the run was cancelled.
    """
    while True:
        try:
            return ended.get(timeout=WATCH_SECONDS)
        except Empty:
            if is_cancelled():
                raise Interrupted(CANCELLED) from None
