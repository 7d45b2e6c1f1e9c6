"""Freed memory goes back to the system: without this a process keeps the memory of its largest requests, once per thread."""

from __future__ import annotations

import contextlib
import ctypes
import gc


def return_freed_memory() -> None:
    """Gives the pages that glibc keeps for later back, those of all threads; elsewhere than on glibc nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def set_lasting_objects_aside() -> None:
    """Spares the garbage collector all objects that are there now; it then looks at those of requests alone, within milliseconds.

    To be called again when lasting objects have ended: those that were set aside are looked at once more.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def free_garbage() -> None:
    """Frees what only refers to itself, such as an error and the frames of the request that it ended, and gives the memory back.

    Python does so by itself only once the new objects are a quarter of all, which with MLflow's hundreds of thousands of them is
    never: a few objects may hold megabytes each.
    """
    gc.collect()
    return_freed_memory()
