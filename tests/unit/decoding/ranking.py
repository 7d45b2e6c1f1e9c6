"""What a search finds beside the scores of all sequences that there are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from seq2seq_core.decoding.hypothesis import Hypothesis

ScoredIds = tuple[float, tuple[int, ...]]
CLOSE = 1e-4
"""Scores in float32 are no nearer than this to those in float64: closer ones may change places."""


def assert_best(found: Sequence[Hypothesis], scored: Sequence[ScoredIds], count: int) -> None:
    """Fails unless the hypotheses are different ones, as many as asked for or there are, and the best of all, best first.

    Args:
        found: by the search.
        scored: every sequence with its score.
        count: how many were asked for.
    """
    expected = [score for score, _ in sorted(scored, reverse=True)[:count]]
    score_of = {ids: score for score, ids in scored}
    assert len({hypothesis.ids for hypothesis in found}) == len(found)
    assert [score_of[hypothesis.ids] for hypothesis in found] == pytest.approx(expected, abs=CLOSE)
    assert [hypothesis.score for hypothesis in found] == pytest.approx(expected, abs=CLOSE)
