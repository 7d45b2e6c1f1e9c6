"""Batches of sources of like length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

FEW_ROUNDS = 4
"""With as many batches for each core, no core is idle for long at the end."""


class BatchBounds(NamedTuple):
    """Bounds of a batch.

    Attributes:
        max_rows: most rows.
        max_tokens: most tokens, padding included, of a batch of more than one row.
    """

    max_rows: int
    max_tokens: int


def batches_by_length(lengths: Sequence[int], bounds: BatchBounds, num_shares: int = 1) -> list[list[int]]:
    """Batches of the positions of all rows that are not empty, longest first.

    Args:
        lengths: tokens of each row.
        bounds: of a batch.
        num_shares: no batch has more tokens, padding not included, than one of so many equal shares of all.
    """
    batches: list[list[int]] = []
    total, before, last_share = sum(lengths), 0, 0
    for place in sorted((place for place, length in enumerate(lengths) if length), key=lambda place: -lengths[place]):
        share = before * num_shares // total
        has_room = batches and len(batches[-1]) < bounds.max_rows
        if has_room and share == last_share and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= bounds.max_tokens:
            batches[-1].append(place)
        else:
            batches.append([place])
        before, last_share = before + lengths[place], share
    return batches


def parallel_batches(lengths: Sequence[int], bounds: BatchBounds, num_parallel: int, fewest_rows: int) -> list[list[int]]:
    """Batches as :func:`batches_by_length` makes them; few are cut further, so that each core gets as many as the others.

    Args:
        lengths: tokens of each row.
        bounds: of a batch.
        num_parallel: batches that are decoded at the same time, each by a core.
        fewest_rows: rows that a batch has on average at least if it was cut further: what many rows share is lost in small ones.
    """
    batches = batches_by_length(lengths, bounds)
    rounds = -(-len(batches) // num_parallel)
    num_shares = min(rounds * num_parallel, sum(map(len, batches)) // fewest_rows)
    if rounds > FEW_ROUNDS or num_shares < len(batches):
        return batches
    cut = batches_by_length(lengths, bounds, num_shares)
    return min(batches, cut, key=lambda one: _most_tokens([sum(lengths[place] for place in batch) for batch in one], num_parallel))


def _most_tokens(sizes: Sequence[int], num_parallel: int) -> int:
    """The tokens that the busiest core gets where each takes the next batch once it has finished its last one."""
    loads = [0] * num_parallel
    for size in sizes:
        loads[loads.index(min(loads))] += size
    return max(loads)
