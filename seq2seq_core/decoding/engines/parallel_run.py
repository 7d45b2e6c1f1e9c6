"""Work by several threads, for engines that compute outside of Python's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")


def run_in_parallel(act: Callable[[Work], Result], parts: Sequence[Work], num_parallel: int) -> Iterator[Result]:
    """The result of each part, in order. The first error ends it: what has begun is waited for, and nothing else begins.

    Args:
        act: does one part.
        parts: the work; the first ones begin first.
        num_parallel: most parts that are done at the same time.
    """
    if min(len(parts), num_parallel) <= 1:
        yield from map(act, parts)
        return
    with ThreadPoolExecutor(min(len(parts), num_parallel), thread_name_prefix="decode") as pool:
        yield from pool.map(act, parts)
