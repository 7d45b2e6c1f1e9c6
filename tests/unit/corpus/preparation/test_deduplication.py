from __future__ import annotations

from typing import Literal

import pytest

from seq2seq_core.corpus.deduplication import Deduplicator
from seq2seq_core.corpus.leakage.leakage_filter import LeakageFilter

PAIRS = [("a", "x"), ("a", "y"), ("a", "x"), ("b", "x"), ("a ", "x")]


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ("none", PAIRS),
        ("pair", [("a", "x"), ("a", "y"), ("b", "x"), ("a ", "x")]),
        ("source", [("a", "x"), ("b", "x"), ("a ", "x")]),
    ],
)
def test_repetitions_are_told_by_policy(policy: Literal["none", "pair", "source"], kept: list[tuple[str, str]]) -> None:
    deduplicator = Deduplicator(policy)
    assert [pair for pair in PAIRS if not deduplicator.is_repeated(*pair)] == kept


@pytest.mark.parametrize(
    ("policy", "leaking"),
    [("keep", []), ("exact", ["Two dogs.", "Two  dogs."]), ("near", ["Two dogs.", "Two  dogs.", "two dogs", "TWO DOGS!"])],
)
def test_leaks_are_told_by_policy(policy: Literal["keep", "exact", "near"], leaking: list[str]) -> None:
    leakage = LeakageFilter(policy)
    leakage.protect("Two dogs.")
    sources = ["Two dogs.", "Two  dogs.", "two dogs", "TWO DOGS!", "Two cats."]
    assert [source for source in sources if leakage.leaks(source)] == leaking


def test_nothing_leaks_where_nothing_is_protected() -> None:
    assert not LeakageFilter("near").leaks("")
