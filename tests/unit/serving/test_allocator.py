"""What many threads have freed leaves the process."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from seq2seq_core.serving.allocator import return_freed_memory

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
