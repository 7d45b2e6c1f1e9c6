from __future__ import annotations

import random

import pytest

from seq2seq_core.corpus.splitting import assign_split


def _random_sources(seed: int, count: int) -> list[str]:
    generator = random.Random(seed)
    return ["".join(generator.choices("abcdefgh ijkß大.,0123456789", k=generator.randrange(3, 30))) for _ in range(count)]


def test_the_split_is_a_function_of_the_source_alone(fresh_seed: int) -> None:
    sources = _random_sources(fresh_seed, 500)
    first = {source: assign_split(source, 0.1, 0.2) for source in sources}
    random.Random(fresh_seed).shuffle(sources)
    assert {source: assign_split(source, 0.1, 0.2) for source in sources} == first


def test_splits_of_stored_sources_never_change() -> None:
    """A change here moves pairs between train and test in everyone's corpora."""
    sources = [f"sentence number {number}" for number in range(40)]
    letters = {"train": "-", "dev": "d", "test": "T"}
    assert "".join(letters[assign_split(source, 0.2, 0.2)] for source in sources) == "d-ddd-dT-d----dTdTTT-d-T---Tdd-----dd-T-"


@pytest.mark.parametrize(("one", "other"), [("Two dogs.", "two  dogs"), ("café", "CAFE\u0301"), ("你好。", "你 好")])
def test_near_duplicates_share_a_split(one: str, other: str) -> None:
    for number in range(50):
        assert assign_split(one, 0.3, 0.3, str(number)) == assign_split(other, 0.3, 0.3, str(number))


def test_shares_are_near_their_fractions(fresh_seed: int) -> None:
    sources = {f"{fresh_seed} {number}" for number in range(20_000)}
    splits = [assign_split(source, 0.05, 0.1) for source in sources]
    # Six standard errors: one run in a billion is further off.
    assert abs(splits.count("dev") / 20_000 - 0.05) < 6 * (0.05 * 0.95 / 20_000) ** 0.5
    assert abs(splits.count("test") / 20_000 - 0.1) < 6 * (0.1 * 0.9 / 20_000) ** 0.5


def test_a_larger_fraction_only_adds_to_its_split(fresh_seed: int) -> None:
    for source in _random_sources(fresh_seed, 1000):
        before = assign_split(source, 0.1, 0.1)
        assert assign_split(source, 0.2, 0.1) == (before if before != "train" else assign_split(source, 0.2, 0.1))
        assert assign_split(source, 0.1, 0.2) in (before, "test")
        if before == "test":
            assert assign_split(source, 0.3, 0.1) == "test"


def test_another_salt_gives_other_splits(fresh_seed: int) -> None:
    sources = _random_sources(fresh_seed, 200)
    assert [assign_split(source, 0.5, 0.2, "a") for source in sources] != [
        assign_split(source, 0.5, 0.2, "b") for source in sources
    ]


def test_a_fraction_of_zero_gives_nothing(fresh_seed: int) -> None:
    assert {assign_split(source, 0.0, 0.0) for source in _random_sources(fresh_seed, 500)} == {"train"}
