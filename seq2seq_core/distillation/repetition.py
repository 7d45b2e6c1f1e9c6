"""Repetition in a text: how often the same words stand in a row, as in the output of a model that has lost its way."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_RUN = 8
"""Most words, or characters, of a run whose repetitions are counted."""


def most_repetitions(text: str) -> int:
    """How often the most repeated run of words stands in a row: 1 where none does, 0 for an empty text.

    Characters take the place of words in a text without spaces.

    Args:
        text: such as an output.
    """
    words = text.split()
    units: Sequence[str] = words if len(words) > 1 else text.strip()
    if not units:
        return 0
    return max(_repetitions(units, length) for length in range(1, min(LONGEST_RUN, len(units)) + 1))


def _repetitions(units: Sequence[str], length: int) -> int:
    """How often the most repeated run of a given length stands in a row."""
    equal = longest = 0
    for place in range(length, len(units)):
        equal = equal + 1 if units[place] == units[place - length] else 0
        longest = max(longest, equal)
    return longest // length + 1
