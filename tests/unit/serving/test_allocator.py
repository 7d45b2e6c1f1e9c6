"""What many threads have freed leaves the process."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from seq2seq_core.serving.allocator import free_garbage, return_freed_memory, set_lasting_objects_aside

NUM_THREADS, MIB = 16, 2**20


@pytest.mark.skipif(not psutil.LINUX, reason="glibc's heaps")
def test_freed_memory_of_threads_goes_back_to_the_system() -> None:
    together, kept = threading.Barrier(NUM_THREADS), []

    def work(number: int) -> None:
        blocks = [bytes([number]) * 4000 for _ in range(2000)]
        kept.append(blocks[::100])  # all along the thread's heap, which therefore does not shrink
        together.wait()
        blocks.clear()

    with ThreadPoolExecutor(NUM_THREADS) as pool:
        list(pool.map(work, range(NUM_THREADS)))
        before = psutil.Process().memory_info().rss
        return_freed_memory()
        freed = before - psutil.Process().memory_info().rss
    assert freed > 64 * MIB, f"{freed / MIB:.0f} MiB"


class Node:
    """Refers to itself."""

    def __init__(self) -> None:
        self.own = self


def test_garbage_is_freed_and_lasting_objects_once_they_have_ended() -> None:
    lasting, passing = Node(), Node()
    known = [weakref.ref(lasting), weakref.ref(passing)]
    gc.disable()
    try:
        del passing
        set_lasting_objects_aside()
        del lasting
        assert (known[0]() is None, known[1]() is None) == (False, True)
        free_garbage()
        assert known[0]() is not None  # it was set aside
        passing = Node()
        known.append(weakref.ref(passing))
        del passing
        free_garbage()
        assert known[2]() is None
        set_lasting_objects_aside()
        assert known[0]() is None
    finally:
        gc.unfreeze()
        gc.enable()
