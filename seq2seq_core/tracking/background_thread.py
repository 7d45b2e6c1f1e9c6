"""A thread that does something from time to time while a block of code runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def run_beside(work: Callable[[threading.Event], None], name: str) -> Iterator[None]:
    """A ``with`` block beside which a thread works; the block's end waits for it.

    Args:
        work: receives the event that is set when the block is over.
        name: of the thread.
    """
    is_over = threading.Event()
    thread = threading.Thread(target=work, args=(is_over,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
