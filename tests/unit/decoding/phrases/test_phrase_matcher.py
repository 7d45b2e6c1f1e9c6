from __future__ import annotations

import random
import re
import tracemalloc
import unicodedata

import pytest

from seq2seq_core.decoding.phrases.phrase_matcher import Match, PhraseMatcher, phrases_in


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
        ("\u1ec7", "e\u0302\u0323", True),  # the same letter in all its spellings
        ("\u1ec7", "\u1eb9\u0302", True),
        ("\u1ec7", "\u00ea\u0323.", True),
        ("\u1eb9", "e\u0302\u0323", False),
        ("\u00ea", "e\u0323\u0302", False),
        ("\u212b", "\u00c5", True),
        ("caf\u00e9 r\u00e9sum\u00e9", "cafe\u0301 r\u00e9sum\u00e9", True),
        ("\ud55c", "\ud55c\uad6d", False),
        ("วันที่", "วันที่5", True),
        ("วันที่", "วันที่abc", True),
        ("5 มีนา", "ที่5 มีนา", True),
        ("วัน", "วันที่", True),
        ("ที", "ที่", False),
        ("人々", "人々A", True),
        ("〇年", "二〇〇〇年", True),
        ("မြန်မာ", "မြန်မာ5", True),
        ("ﾓｼﾞ", "ｶﾅﾓｼﾞA", True),
        ("ﾓｼ", "ｶﾅﾓｼﾞ", False),
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


def test_every_canonically_equivalent_text_has_the_same_phrases(fresh_random: random.Random) -> None:
    letters = ["e", "o", "-", " ", "\u0302", "\u0323", "\u0301", "\u1ec7", "\u00ea", "ที่", "5"]
    found = 0
    for _ in range(300):
        phrases = [
            phrase for _ in range(3) if (phrase := "".join(fresh_random.choices(letters, k=fresh_random.randint(1, 2))).strip())
        ]
        text = "".join(fresh_random.choices(letters, k=10))
        plain = phrases_in(text, phrases)
        for form in ("NFC", "NFD"):
            assert phrases_in(unicodedata.normalize(form, text), phrases) == plain, (text, phrases)
            others = [unicodedata.normalize(form, phrase) for phrase in phrases]
            assert phrases_in(text, others) == [unicodedata.normalize(form, phrase) for phrase in plain], (text, phrases)
        found += len(plain)
    assert found > 20


def test_the_memory_of_a_matcher_is_proportional_to_its_phrases() -> None:
    tracemalloc.start()
    matcher = PhraseMatcher([("a " * (99 - place)) + "c" for place in range(30)])
    match = matcher.read(Match(), "a " * 5000 + "c")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(matcher.ended(match)) == 30
    assert most < 5 << 20
