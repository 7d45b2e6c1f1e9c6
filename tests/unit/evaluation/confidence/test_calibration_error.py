from __future__ import annotations

import numpy as np
import pytest

from seq2seq_core.evaluation.confidence.calibration_error import find_calibration_error, make_bins


def test_bins_hold_as_many_answers_each_from_the_least_confident_on() -> None:
    confidences = np.array([0.9, 0.1, 0.5, 0.8, 0.2, 0.6])
    bins = make_bins(confidences, np.array([True, False, True, True, False, False]), number=3)
    assert [(one.low, one.high, one.count) for one in bins] == [(0.1, 0.2, 2), (0.5, 0.6, 2), (0.8, 0.9, 2)]
    assert [round(one.confidence, 9) for one in bins] == [0.15, 0.55, 0.85]
    assert [one.right for one in bins] == [0.0, 0.5, 1.0]


def test_the_error_is_the_mean_difference_of_confidence_and_share_right() -> None:
    # Five bins of 20 answers at 0.25, of which a half is right; five at 0.75, of which all are.
    confidences = np.repeat([0.25, 0.75], 100)
    right = np.concatenate([np.arange(100) % 2 == 0, np.full(100, True)])
    found = find_calibration_error(confidences, right)
    assert found.value == pytest.approx(0.25)
    assert 0.2 < found.low < found.value < found.high < 0.35
    assert found == find_calibration_error(confidences, right)


def test_a_perfect_calibration_shows_the_error_of_chance_and_another_one_more() -> None:
    chance = np.random.default_rng(3)
    confidences = chance.random(1000)
    perfect = find_calibration_error(confidences, chance.random(1000) < confidences)
    assert perfect.by_chance == pytest.approx(0.03, abs=0.01)
    assert perfect.low < perfect.by_chance < perfect.high
    too_sure = find_calibration_error(confidences, chance.random(1000) < confidences**2)
    assert too_sure.low > 2 * too_sure.by_chance


def test_fewer_answers_than_bins_have_an_error_too() -> None:
    found = find_calibration_error(np.array([0.5]), np.array([True]))
    assert (found.value, found.by_chance) == (0.5, 0.5)
    assert len(make_bins(np.array([0.5]), np.array([True]))) == 1
