"""Bounds of a mean that hold for every number of rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seq2seq_core.gate.confidence_sequence import confidence_sequence, watch_gain
from seq2seq_core.gate.scored_rows import score_rows


@pytest.mark.parametrize("chances", [[0.05, 0.9, 0.05], [0.3, 0.1, 0.6]])
def test_all_bounds_together_hold_the_mean_as_often_as_stated(chances: list[float]) -> None:
    rng, missed, runs = np.random.default_rng(3), 0, 400
    mean = chances[2] - chances[0]
    for _ in range(runs):
        found = confidence_sequence(rng.choice([-1.0, 0.0, 1.0], p=chances, size=1000), -1.0, 1.0, 0.1)
        missed += bool((found.low > mean).any() or (found.high < mean).any())
    assert missed / runs <= 0.1


def test_the_first_bounds_are_those_of_the_formula() -> None:
    found = confidence_sequence(np.array([1.0, 0.0]), 0.0, 1.0, 0.05)
    bet = 0.5  # sqrt(2 log(40) / (0.25 log 2)) is above it
    penalty = 0.25 * (-math.log(1 - bet) - bet)
    radius = (math.log(40) + penalty) / bet
    assert found.low[0] == max(0.0, 1.0 - radius)
    assert found.high[0] == 1.0


def test_the_bounds_close_in_on_the_mean() -> None:
    values = np.random.default_rng(1).choice([0.0, 1.0], p=[0.7, 0.3], size=20_000)
    found = confidence_sequence(values, 0.0, 1.0, 0.05)
    assert found.high[-1] - found.low[-1] < 0.035
    assert found.low[-1] < 0.3 < found.high[-1]
    assert (np.diff(found.low) >= 0).all()
    assert (np.diff(found.high) <= 0).all()


def test_a_challenger_that_wins_more_rows_is_proved_better_as_rows_arrive() -> None:
    kinds = np.random.default_rng(1).choice(3, p=[0.1, 0.02, 0.88], size=3000)
    champion, challenger = (
        score_rows("exact_match", ["b" if kind == loses else "a" for kind in kinds], ["a"] * len(kinds)) for loses in (0, 1)
    )
    low = watch_gain(champion, challenger, 0.01).low
    assert low[50] <= 0 < low[-1] < 0.08


def test_values_out_of_range_and_metrics_without_a_range_are_refused(references: list[str]) -> None:
    with pytest.raises(ValueError, match="expected values from 0 to 1, got 0 to 2"):
        confidence_sequence(np.array([0.0, 2.0]), 0.0, 1.0, 0.05)
    rows = score_rows("bleu", references, references)
    with pytest.raises(ValueError, match="bleu is no mean of bounded scores of rows; a confidence sequence needs one"):
        watch_gain(rows, rows, 0.01)
