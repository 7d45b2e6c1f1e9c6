"""The simulated challengers of the promotion gate's benchmark have the quality that it states."""

from __future__ import annotations

import random

import numpy as np
import pytest

from benchmarks.measured.gate_simulations import (
    EXACT_MATCH,
    QUALITY,
    Pair,
    count_promotions,
    draw_equal_pairs,
    draw_pairs_with_gain,
    equal_but_unlike,
    exchange,
    live,
    resample,
)
from seq2seq_core.gate.scored_rows import score_rows

WORDS = ["der", "hund", "läuft", "rot", "ball", "gras"]


@pytest.fixture(scope="module")
def pair() -> Pair:
    """A worse and a better translator."""
    draw = random.Random(1)
    references = [" ".join(draw.choices(WORDS, k=9)) for _ in range(300)]
    worse, better = (
        [" ".join(word if draw.random() > share else "x" for word in row.split()) for row in references] for share in (0.3, 0.2)
    )
    return score_rows("bleu", worse, references), score_rows("bleu", better, references)


def test_equal_pairs_have_one_quality_and_differ_on_a_twelfth_of_the_rows() -> None:
    right = np.array([[one.statistics[:, 0] for one in pair] for pair in draw_equal_pairs(200, 1)])
    assert right.mean(axis=(0, 2)) == pytest.approx([QUALITY, QUALITY], abs=0.005)
    assert (right[:, 0] != right[:, 1]).mean() == pytest.approx(0.08, abs=0.01)


def test_pairs_with_a_gain_have_it_on_average() -> None:
    gains = [challenger.score - champion.score for champion, challenger in draw_pairs_with_gain(0.03, 0.1, 300, 1)]
    assert np.mean(gains) == pytest.approx(0.03, abs=0.002)


@pytest.mark.parametrize("gain", [3.0, 0.0, -2.0])
def test_an_exchange_of_rows_gives_the_gain_that_is_asked_for(pair: Pair, gain: float) -> None:
    first, second = exchange(pair, gain, 1)
    assert second.score - first.score == pytest.approx(gain, abs=0.25)
    assert (first.statistics + second.statistics == pair[0].statistics + pair[1].statistics).all()


def test_unlike_systems_have_one_score_and_differences_that_lean_to_one_side(pair: Pair) -> None:
    first, second = equal_but_unlike(pair)
    assert second.score - first.score == pytest.approx(0.0, abs=0.3)
    differences = second.influence() - first.influence()
    assert (differences**3).mean() / (differences**2).mean() ** 1.5 < -0.3


def test_resampled_test_sets_keep_the_pairing(pair: Pair) -> None:
    ((first, second),) = resample((pair[0], pair[0]), 50, 1, 1)
    assert np.array_equal(first.statistics, second.statistics)
    assert first.num_rows == 50


def test_a_life_counts_what_both_rules_promote() -> None:
    found = live(10, 1)
    assert found.promotions <= found.naive_promotions <= 10
    assert count_promotions(EXACT_MATCH, draw_pairs_with_gain(0.08, 0.1, 5, 1), 1) == 5
