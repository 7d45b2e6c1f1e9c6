"""What this process gets of the machine: settings of the memory allocator and of the garbage collector, and the number of cores."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
"""Parameters of ``mallopt(3)``."""
_NEVER = 2**31 - 1
_GROWTH_BYTES = 64 * 2**20


def keep_freed_memory() -> bool:
    """Makes the C library keep large freed blocks for reuse instead of returning them to the system.

    A step of training or decoding on a CPU allocates and frees the same large tensors again and again. The system must zero and map
    new memory page by page. Without this, updates take 3 % (Transformer) to 10 % (GRU) more processor time (docs/adr/0016), and
    beam search 8 %. The process keeps its peak size. To turn it off, set any of glibc's own variables, such as
    ``MALLOC_TOP_PAD_=131072``: the user's settings have priority. Setting those variables here would be too late: glibc reads them
    when a process starts.

    Returns:
        whether the C library accepted the settings; glibc does.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return False
    wanted = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _NEVER, _M_TOP_PAD: _GROWTH_BYTES}
    taken = [mallopt(name, value) == 1 for name, value in wanted.items()]
    return all(taken)


@contextmanager
def uncollected_loading() -> Iterator[None]:
    """Within it, nothing looks for garbage: libraries make millions of objects while they load, and hardly any is garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def uncollected_imports() -> Iterator[None]:
    """Within it, the garbage collector does not look at the objects that exist at its start.

    MLflow's modules are hundreds of thousands of objects that live as long as the process. A stage that makes many objects of its
    own would have them searched again and again, which was a third of the time of ``tokenize``.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def count_cores() -> int:
    """Cores that this process may use; where the system does not say, all of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
