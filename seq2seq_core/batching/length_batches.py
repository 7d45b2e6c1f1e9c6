"""Batches of sources of like length."""

from __future__ import annotations

from collections.abc import Sequence


def batches_by_length(lengths: Sequence[int], max_rows: int, max_tokens: int) -> list[list[int]]:
    """Batches of the positions of all rows that are not empty, longest first.

    Args:
        lengths: tokens of each row.
        max_rows: most rows of a batch.
        max_tokens: most tokens of a batch, padding included, if it has more than one row.
    """
    batches: list[list[int]] = []
    for place in sorted((place for place, length in enumerate(lengths) if length), key=lambda place: -lengths[place]):
        if batches and len(batches[-1]) < max_rows and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= max_tokens:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches
