from __future__ import annotations

import random
import re

import pytest

from seq2seq_core.decoding.phrases.phrase_matcher import phrases_in


@pytest.mark.parametrize(
    ("phrase", "text", "occurs"),
    [
        ("cat", "the cat sat", True),
        ("cat", "cat", True),
        ("cat", "(cat)", True),
        ("cat", "cats", False),
        ("cat", "concatenate", False),
        ("cat", "bobcat", False),
        ("cat", "Cat", False),
        ("cat", "cats and a cat", True),
        ("cat", "cat_", False),
        ("New York", "in New  \n York.", True),
        ("New York", "New Yorker", False),
        ("a a b", "a a a b", True),
        ("-5", "x-5", True),
        ("5-", "5-x", True),
        ("5", "5.5", True),
        ("5", "55", False),
        ("東京", "は東京に", True),
        ("か", "か\u3099", False),  # which shows が
        ("caf\u00e9", "cafe\u0301 noir", True),
        ("cafe\u0301", "caf\u00e9", True),
        ("cafe", "cafe\u0301", False),
        ("caf", "cafe", False),
    ],
)
def test_a_phrase_occurs_as_whole_words(phrase: str, text: str, occurs: bool) -> None:
    assert phrases_in(text, [phrase]) == [phrase] * occurs


def test_overlapping_phrases_are_found_as_a_search_of_each_finds_them(fresh_random: random.Random) -> None:
    found = 0
    for _ in range(300):
        phrases = ["".join(fresh_random.choices("ab -", k=fresh_random.randint(1, 4))).strip() or "a" for _ in range(4)]
        text = "".join(fresh_random.choices("ab -", k=fresh_random.randint(0, 12)))
        expected = []
        for phrase in phrases:
            parts = r"\s+".join(map(re.escape, phrase.split()))
            before, after = (r"(?<!\w)" if phrase[0].isalnum() else ""), (r"(?!\w)" if phrase[-1].isalnum() else "")
            expected += [phrase] * bool(re.search(before + parts + after, text))
        assert phrases_in(text, phrases) == expected, (text, phrases)
        found += len(expected)
    assert found > 50
