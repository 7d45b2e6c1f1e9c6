"""A background thread for the length of a ``with`` block."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def run_beside(work: Callable[[threading.Event], None], name: str) -> Iterator[None]:
    """Runs a thread during the ``with`` block; the block's end waits for the thread.

    Args:
        work: the thread's function; receives the event that is set at the end of the block.
        name: the thread's name.
    """
    is_over = threading.Event()
    thread = threading.Thread(target=work, args=(is_over,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
