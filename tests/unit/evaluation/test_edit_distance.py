from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from seq2seq_core.evaluation.edit_distance import edit_distance


def edit_distance_by_table(first: Sequence[object], second: Sequence[object]) -> int:
    """The dynamic programme of the textbook."""
    previous = list(range(len(second) + 1))
    for row, one in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (one != other)))
        previous = current
    return previous[-1]


def test_the_edit_distance_is_that_of_the_textbook(fresh_random: random.Random) -> None:
    for _ in range(500):
        first, second = ("".join(fresh_random.choices("abcü", k=fresh_random.randrange(0, 80))) for _ in range(2))
        assert edit_distance(first, second) == edit_distance_by_table(first, second), (first, second)


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ("", "", 0),
        ("abc", "", 3),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        (["t͡ʃ", "a"], ["t͡ʃ", "aː"], 1),
        ("a" * 200, "a" * 199, 1),
    ],
)
def test_known_edit_distances(first: Sequence[str], second: Sequence[str], distance: int) -> None:
    assert edit_distance(first, second) == distance
