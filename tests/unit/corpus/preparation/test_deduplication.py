from __future__ import annotations

from typing import Literal

import pytest

from seq2seq_core.corpus.deduplication import Deduplicator

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
