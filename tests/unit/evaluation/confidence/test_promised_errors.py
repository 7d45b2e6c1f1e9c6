from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from seq2seq_core.bundle.stored_calibrator import PromisedError
from seq2seq_core.evaluation.confidence.promised_errors import check_promise, make_promises


def draw(number: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Answers whose confidences are true."""
    chance = np.random.default_rng(seed)
    confidences = chance.beta(3, 1, number)
    return confidences, chance.random(number) < confidences


def test_each_promise_has_the_lowest_threshold_that_dev_proves() -> None:
    confidences, right = draw(2000, 1)
    promises = make_promises(confidences, right)
    assert [one.max_error for one in promises] == sorted(one.max_error for one in promises)
    assert [one.min_confidence for one in promises] == sorted((one.min_confidence for one in promises), reverse=True)
    for one in promises:
        kept = confidences >= one.min_confidence
        assert [one.answered, one.error] == pytest.approx([kept.mean(), (~right)[kept].mean()], abs=1e-6)
        assert one.error < one.max_error


def test_a_few_right_answers_prove_nothing() -> None:
    assert make_promises(np.full(5, 0.999), np.full(5, True)) == []
    (only,) = make_promises(np.full(300, 0.999), np.full(300, True))  # larger errors promise nothing more
    assert only == PromisedError(max_error=0.02, min_confidence=0.0, answered=1.0, error=0.0)


def test_a_promise_is_broken_in_few_of_many_corpora() -> None:
    confidences, right = draw(200_000, 2)
    broken = total = 0
    for seed in range(100):
        for promise in make_promises(*draw(600, 100 + seed)):
            kept = confidences >= promise.min_confidence
            total += 1
            broken += (~right)[kept].mean() > promise.max_error
    assert total > 150
    assert broken / total <= 0.05


@pytest.mark.parametrize(
    ("wrong", "low", "high", "is_kept"), [(0, 0.0, 0.0362, True), (5, 0.0164, 0.1128, True), (20, 0.1267, 0.2918, False)]
)
def test_a_promise_is_kept_unless_the_interval_on_test_lies_above_it(wrong: int, low: float, high: float, is_kept: bool) -> None:
    promise = PromisedError(max_error=0.05, min_confidence=0.5, answered=0.9, error=0.01)
    confidences = np.concatenate([np.full(100, 0.8), np.full(25, 0.2)])
    right = np.concatenate([np.arange(100) >= wrong, np.full(25, False)])
    found = check_promise(promise, confidences, right)
    assert (found.answered, found.error, found.is_kept) == (0.8, wrong / 100, is_kept)
    assert [found.low, found.high] == pytest.approx([low, high], abs=1e-4)  # of the exact binomial test


def test_a_threshold_above_all_answers_keeps_its_promise() -> None:
    promise = PromisedError(max_error=0.05, min_confidence=0.9, answered=0.1, error=0.0)
    found = check_promise(promise, np.array([0.1]), np.array([False]))
    assert (found.answered, found.error, found.low, found.high, found.is_kept) == (0.0, 0.0, 0.0, 1.0, True)
