"""Freed memory goes back to the system: without this a process keeps the memory of its largest requests, once per thread."""

from __future__ import annotations

import contextlib
import ctypes


def return_freed_memory() -> None:
    """Gives the pages that glibc keeps for later back, those of all threads; elsewhere than on glibc nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
