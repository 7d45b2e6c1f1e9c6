from __future__ import annotations

import random

import pytest
from rapidfuzz.distance import Levenshtein

from seq2seq_core.evaluation.trivial import nearest_neighbour
from seq2seq_core.evaluation.trivial.baselines import find_baselines

Pair = dict[str, str]


def pairs(*rows: tuple[str, str, str]) -> list[Pair]:
    return [{"source": source, "target": target, "tag": tag} for source, target, tag in rows]


def test_memorising_goes_by_everything_that_the_model_is_asked() -> None:
    train = pairs(("go", "went", "PST"), ("go", "goes", "3SG"), ("go", "goed", "PST"), ("go", "went", "PST"))
    test = pairs(("go", "went", "PST"), ("go", "goes", "3SG"), ("see", "saw", "PST"))
    by_tag, by_source = (find_baselines(train, test, columns) for columns in (["tag"], []))
    assert by_tag.texts["copy_source"] == ["go", "go", "see"]
    assert by_tag.texts["memorise_else_copy"] == ["went", "goes", "see"]
    assert by_source.texts["memorise_else_copy"] == ["went", "went", "see"]
    assert by_tag.known == ["went", "goes", None]


def test_the_nearest_neighbour_is_found_among_pairs_of_the_same_tags(fresh_random: random.Random) -> None:
    words = ["".join(fresh_random.choices("abcd", k=fresh_random.randint(1, 9))) for _ in range(60)]
    train = pairs(*((word, word.upper(), fresh_random.choice("xy")) for word in words[:40]))
    test = pairs(*((word, "", fresh_random.choice("xy")) for word in words[40:]))
    found = find_baselines(train, test, ["tag"]).texts["nearest_neighbour"]
    for pair, text in zip(test, found, strict=True):
        own = [one["source"] for one in train if one["tag"] == pair["tag"]]
        least = min(Levenshtein.distance(pair["source"], source) for source in own)
        assert text.lower() in own
        assert Levenshtein.distance(pair["source"], text.lower()) == least


def test_a_search_that_would_take_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = pairs(("abc", "x", ""), ("abd", "y", "")), pairs(("ab", "", ""), ("b", "", ""))
    monkeypatch.setattr(nearest_neighbour, "MOST_OPERATIONS", 12)
    assert "nearest_neighbour" in find_baselines(train, test, []).texts
    monkeypatch.setattr(nearest_neighbour, "MOST_OPERATIONS", 11)
    assert "nearest_neighbour" not in find_baselines(train, test, []).texts


def test_words_are_spelt_letter_by_letter_by_the_commonest_symbols() -> None:
    phones = {"a": "A", "b": "B", "c": "K", "h": ""}
    words = [first + second + last for first in "abc" for second in "abc" for last in "abc"]
    train = pairs(*((word, " ".join(phones[letter] for letter in word), "") for word in words), ("ca", "S A", ""))
    found = find_baselines(train, pairs(("cab", "", ""), ("zac", "", "")), [])
    assert found.spells_symbols
    assert found.texts["commonest_symbols"] == ["K A B", "A K"]


@pytest.mark.parametrize("target", ["word", "two words"])
def test_other_tasks_have_no_commonest_symbols(target: str) -> None:
    source = "one word" if " " in target else "word"
    found = find_baselines(pairs(*[(source, target, "")] * 30), pairs((source, target, "")), [])
    assert not found.spells_symbols
    assert "commonest_symbols" not in found.texts


def test_recordings_have_the_commonest_target_alone() -> None:
    train = pairs(("a.wav", "no", ""), ("b.wav", "yes", ""), ("c.wav", "yes", ""))
    found = find_baselines(train, pairs(("d.wav", "", "")), [], True)
    assert found.texts == {"commonest_target": ["yes"]}
