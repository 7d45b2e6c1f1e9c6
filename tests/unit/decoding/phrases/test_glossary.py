from __future__ import annotations

import random
import tracemalloc
import unicodedata

import pytest

from seq2seq_core.decoding.phrases.glossary import Glossary
from seq2seq_core.decoding.phrases.phrase_matcher import phrases_in


@pytest.mark.parametrize(
    ("terms", "source", "found"),
    [
        (["dog", "hot dog"], "a hot  dog", ["hot dog"]),
        (["hot", "hot dog", "dog sat"], "a hot dog sat", ["hot dog"]),
        (["a a b", "a"], "a a a b", ["a", "a a b"]),
        (["cat"], "cats bobcat", []),
        (["caf\u00e9"], "un cafe\u0301", ["caf\u00e9"]),
        (["cafe"], "un cafe\u0301", []),
        (["\u1ec7"], "e\u0302\u0323", ["\u1ec7"]),
        (["วันที่"], "วันที่5", ["วันที่"]),
        (["東京", "京都"], "東京都に京都", ["東京", "京都"]),
        (["-5"], "x-5", ["-5"]),
        (["か"], "か\u3099", []),
    ],
)
def test_the_term_that_begins_first_counts_and_of_these_the_longest(terms: list[str], source: str, found: list[str]) -> None:
    assert Glossary({term: term for term in terms}).targets(source) == found


def test_terms_are_found_where_phrases_are(fresh_random: random.Random) -> None:
    letters = ["a", "b", "-", " ", "e\u0301", "\u00e9", "ที่", "東", "\u0323"]
    num_found = 0
    for _ in range(500):
        term = "".join(fresh_random.choices(letters, k=fresh_random.randint(1, 3))).strip()
        if not term or unicodedata.combining(term[0]):
            continue  # no text shows a term that begins with a mark
        source = "".join(fresh_random.choices(letters, k=10))
        assert Glossary({term: "x"}).targets(source) == ["x"] * bool(phrases_in(source, [term])), (source, term)
        num_found += bool(phrases_in(source, [term]))
    assert num_found > 50


def test_terms_that_overlap_are_found_as_a_search_at_each_place_finds_them(fresh_random: random.Random) -> None:
    for _ in range(200):
        terms = {" ".join(fresh_random.choices("ab", k=fresh_random.randint(1, 4))) for _ in range(4)}
        words, place, expected = fresh_random.choices("abc", k=12), 0, dict[str, None]()
        while place < len(words):
            fits = [term for term in terms if words[place : place + len(term.split())] == term.split()]
            longest = max(fits, key=len, default="")
            if longest:
                expected[longest] = None
            place += len(longest.split()) or 1
        assert Glossary({term: term for term in terms}).targets(" ".join(words)) == list(expected)


def test_a_glossary_takes_memory_by_its_characters() -> None:
    tracemalloc.start()
    glossary = Glossary({f"{place:05}" + "-" * 195: "x" for place in range(1000)})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50 << 20
    assert glossary.targets("00007" + "-" * 195) == ["x"]
