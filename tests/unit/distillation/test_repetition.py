"""What counts as the same words again and again."""

from __future__ import annotations

import pytest

from seq2seq_core.distillation.repetition import LONGEST_RUN, most_repetitions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("  ", 0),
        ("a man rides a horse", 1),
        ("no no no", 3),
        ("in the park in the park in the park again", 3),
        ("he said that that man ran", 2),
        ("a b a b a c", 2),
        ("yes", 1),
        ("100000", 5),
        ("ababab", 3),
        ("よよよよ", 4),
        (" ".join("abcdefgh" * 3), 3),
        (" ".join("abcdefghi" * 3), 1),
    ],
)
def test_the_most_repeated_run_of_words_counts(text: str, expected: int) -> None:
    assert LONGEST_RUN == 8
    assert most_repetitions(text) == expected
