"""The sketch of a test set: the smallest hashes of its rows, by which a later set is known to share rows with it.

Comparisons on a set that has only grown, or lost some rows, go on spending the error rate of the earlier one.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Mapping, Sequence

HASHES, DIGITS = 64, 12
SAME_SHARE = 0.1
"""Test sets with more than this share of common rows (Jaccard) have one error rate between them."""


def sketch_rows(pairs: Sequence[Mapping[str, str]]) -> str:
    """The bottom-k sketch of rows (Broder 1997, section 3): 64 hashes of 12 hexadecimal digits, sorted.

    Args:
        pairs: the columns of each row.
    """
    hashes = {hashlib.sha256(json.dumps(pair, sort_keys=True).encode()).hexdigest()[:DIGITS] for pair in pairs}
    return "".join(heapq.nsmallest(HASHES, hashes))


def common_share(first: str, second: str) -> float:
    """The estimated share of rows that two sets have in common, of all rows of both.

    Args:
        first: a sketch.
        second: another.
    """
    one, other = ({sketch[start : start + DIGITS] for start in range(0, len(sketch), DIGITS)} for sketch in (first, second))
    smallest = heapq.nsmallest(HASHES, one | other)
    return sum(value in one and value in other for value in smallest) / len(smallest) if smallest else 0.0
