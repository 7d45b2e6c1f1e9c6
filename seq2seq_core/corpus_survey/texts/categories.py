"""Categories: values of a column that come again and again."""

from __future__ import annotations

from collections.abc import Sequence

MOST_CATEGORIES = 50
"""Most values of a column of categories."""
LABEL_CHARACTERS = 60
"""Longest value of a category."""


def is_category(values: Sequence[str], most: int = MOST_CATEGORIES, times: int = 10) -> bool:
    """Whether values are those of a category and no texts: few, short, and repeated.

    Args:
        values: of a column, one a row.
        most: most different values.
        times: how often a value comes on average, at least.
    """
    different = set(values)
    return 0 < len(different) <= min(most, len(values) // times) and max(map(len, different)) <= LABEL_CHARACTERS
