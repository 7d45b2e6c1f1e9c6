"""The edit distance of two sequences."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

from rapidfuzz.distance import Levenshtein

Symbol = TypeVar("Symbol", bound=Hashable)


def edit_distance(first: Sequence[Symbol], second: Sequence[Symbol]) -> int:
    """The fewest insertions, deletions and substitutions that turn one sequence into the other (Levenshtein 1966).

    Args:
        first: code points or symbols.
        second: code points or symbols.
    """
    if isinstance(first, str) and isinstance(second, str):
        return Levenshtein.distance(first, second)
    # rapidfuzz compares hashes, which are equal for the symbols "" and 0, and for "a" and 97; numbers of symbols are distinct.
    numbers: dict[Symbol, int] = {}
    first_numbers, second_numbers = ([numbers.setdefault(symbol, len(numbers)) for symbol in side] for side in (first, second))
    return Levenshtein.distance(first_numbers, second_numbers)
