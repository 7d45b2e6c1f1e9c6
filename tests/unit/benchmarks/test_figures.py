"""The quality table's intervals and comparisons, against what is known of them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from benchmarks.measured.figures import bleu, compare_bleu, compare_means, exact, share, symbol_error_rate
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.scores import score


def test_the_interval_of_a_share_is_wilsons() -> None:
    figure = share([True] * 8 + [False] * 2)
    z, n, p = 1.959964, 10, 0.8
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert (figure.value, figure.low, figure.high) == pytest.approx((80, 100 * (centre - half), 100 * (centre + half)))


def test_error_rate_and_bleu_are_those_of_the_project_inside_their_intervals() -> None:
    references = ["a b c d e f"] * 30 + ["g h i j"] * 10
    hypotheses = ["a b c d e f"] * 20 + ["a b x d e f"] * 10 + ["g h i"] * 10
    rate, figure = symbol_error_rate(hypotheses, references), bleu(hypotheses, references, "none")
    expected = score(hypotheses, references, ["wer", "bleu"], ScoringOptions(bleu_tokenizer="none"))
    assert rate.value == pytest.approx(100 * expected["wer"])
    assert figure.value == pytest.approx(expected["bleu"])
    for one in (rate, figure):
        assert one.low < one.value < one.high


def test_exact_is_by_code_points() -> None:
    assert exact(["é", "a", "b "], ["e\u0301", "a", "b"]) == [False, True, False]


def test_a_clear_difference_is_significant_and_noise_is_not() -> None:
    chance = random.Random(7)
    noise = [chance.gauss(0, 1) for _ in range(400)]
    better = [value + 0.5 + chance.gauss(0, 0.1) for value in noise]
    found = compare_means(noise, better)
    assert found.difference == pytest.approx(0.5, abs=0.05)
    assert found.p_value < 0.01
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.difference < found.high
    mirrored = [sign * value for value in noise for sign in (1, -1)]  # a mean of exactly nothing
    assert compare_means([0.0] * 800, mirrored).p_value > 0.5


def test_systems_that_say_the_same_differ_in_nothing_and_a_better_one_wins() -> None:
    references = [f"the cat number {number} sat on the mat of house {number}" for number in range(100)]
    worse = [text.replace("cat", "dog") for text in references]
    assert compare_bleu(worse, worse, references, "none").difference == 0
    found = compare_bleu(worse, references, references, "none")
    assert found.difference > 5
    assert found.p_value < 0.01
