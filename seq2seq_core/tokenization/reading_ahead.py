"""Reading of the next item in a thread, while the current one is worked on by code that releases Python's lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items in their order; an error of the iterable is raised where its item would come.

    Args:
        items: none of them None; iterated in one other thread, at most one item ahead.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, "read_ahead") as thread:
        upcoming = thread.submit(next, iterator, None)
        while (item := upcoming.result()) is not None:
            upcoming = thread.submit(next, iterator, None)
            yield item
