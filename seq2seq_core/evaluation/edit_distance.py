"""How many edits two sequences are apart."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

Symbol = TypeVar("Symbol", bound=Hashable)


def edit_distance(first: Sequence[Symbol], second: Sequence[Symbol]) -> int:
    """The fewest insertions, deletions and substitutions that turn one sequence into the other (Levenshtein 1966).

    A column of the dynamic programme is held as the bits of two integers: where a cell is one more, and where it is one less, than
    the cell above it (Myers 1999, in the form of Hyyrö 2003, figure 3). Python's integers have as many bits as it takes.

    Args:
        first: code points or symbols.
        second: code points or symbols.
    """
    if not first:
        return len(second)
    places: dict[Symbol, int] = {}
    for place, symbol in enumerate(first):
        places[symbol] = places.get(symbol, 0) | 1 << place
    all_bits, last_bit, distance = (1 << len(first)) - 1, 1 << len(first) - 1, len(first)
    more, less = all_bits, 0
    for symbol in second:
        equal = places.get(symbol, 0)
        same_diagonal = ((((equal & more) + more) ^ more) | equal | less) & all_bits
        row_more, row_less = less | (all_bits & ~(same_diagonal | more)), same_diagonal & more
        distance += bool(row_more & last_bit) - bool(row_less & last_bit)
        row_more, row_less = row_more << 1 | 1, row_less << 1
        more, less = (row_less | ~(same_diagonal | row_more)) & all_bits, row_more & same_diagonal & all_bits
    return distance
