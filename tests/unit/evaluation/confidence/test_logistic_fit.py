from __future__ import annotations

import numpy as np
import pytest

from seq2seq_core.evaluation.confidence.logistic_fit import fit_logistic


def test_the_weights_are_those_that_made_the_data() -> None:
    chance = np.random.default_rng(1)
    features = np.column_stack([chance.normal(3.0, 2.0, 20_000), chance.normal(-1.0, 1.0, 20_000)])
    log_odds = 4.5 - 0.8 * features[:, 0] + 2.0 * features[:, 1]
    intercept, weights = fit_logistic(features, chance.random(20_000) < 1 / (1 + np.exp(-log_odds)))
    assert weights == pytest.approx([-0.8, 2.0], abs=0.1)
    found = intercept + features @ weights
    assert np.abs(found - log_odds).mean() < 0.1


def test_the_probabilities_sum_to_the_number_of_right_rows() -> None:
    chance = np.random.default_rng(2)
    features, right = chance.normal(size=(500, 3)), chance.random(500) < 0.3
    intercept, weights = fit_logistic(features, right)
    probabilities = 1 / (1 + np.exp(-(intercept + features @ weights)))
    assert probabilities.sum() == pytest.approx(right.sum(), abs=1.0)  # Platt's targets are a little milder than 0 and 1


@pytest.mark.parametrize(("is_right", "expected"), [(True, 101 / 102), (False, 1 / 102)])
def test_rows_that_are_all_alike_give_no_certainty(is_right: bool, expected: float) -> None:
    features = np.column_stack([np.linspace(0, 1, 100), np.full(100, 7.0)])
    intercept, weights = fit_logistic(features, np.full(100, is_right))
    assert weights.tolist() == [0.0, 0.0]  # and no rest of the solver such as 5e-39
    assert 1 / (1 + np.exp(-intercept)) == pytest.approx(expected)


def test_features_that_separate_the_rows_get_finite_weights() -> None:
    features = np.linspace(-1, 1, 200)[:, None]
    _, weights = fit_logistic(features, features[:, 0] > 0)
    assert 1.0 < weights[0] < 50.0
