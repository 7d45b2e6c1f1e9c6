"""The p-values of random swaps, against SciPy's and against all swaps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from seq2seq_core.evaluation.row_scoring import FloatArray
from seq2seq_core.gate import sign_flips
from seq2seq_core.gate.sign_flips import ENUMERATED, EXACT, SAMPLED, Statistic, tails_of_statistic, tails_of_sum


def brute_force(differences: FloatArray) -> tuple[float, float]:
    """Both tails from all signs, in plain Python."""
    sums = [sum(s * d for s, d in zip(signs, differences, strict=True)) for signs in product((1, -1), repeat=len(differences))]
    observed = sum(differences)
    upper, lower = sum(one >= observed - 1e-9 for one in sums), sum(one <= observed + 1e-9 for one in sums)
    return upper / len(sums), lower / len(sums)


def weighted(differences: FloatArray) -> Statistic:
    """The sum of the differences under some signs."""
    return lambda signs: signs @ differences


@pytest.mark.parametrize(("wins", "losses"), [(14, 5), (3, 9), (160, 40), (0, 0)])
def test_of_right_and_wrong_rows_it_is_mcnemars_exact_test(wins: int, losses: int) -> None:
    found = tails_of_sum(np.array([1.0] * wins + [-1.0] * losses + [0.0] * 50), 0.01, 100, 1)
    total = wins + losses
    expected = binomtest(wins, total, 0.5, alternative="greater").pvalue if total else 1.0
    assert found.upper == pytest.approx(expected, rel=1e-9)
    assert (found.method, found.num_differing) == (EXACT, total)


@pytest.mark.parametrize("scale", [1.0, 0.7])
def test_both_tails_are_those_of_all_swaps(scale: float) -> None:
    differences = scale * np.array([3.0, -2.0, 1.0, 1.0, 5.0, -1.0, 2.0, 4.0, -3.0])
    found = tails_of_sum(differences, 0.01, 100, 1)
    assert (found.upper, found.lower) == pytest.approx(brute_force(differences))
    assert found.method == (EXACT if scale == 1 else ENUMERATED)


@pytest.mark.parametrize("level", [0.03, 1e-4, 1e-6])
def test_importance_sampling_agrees_with_the_exact_distribution_down_to_small_levels(level: float) -> None:
    rng = np.random.default_rng(4)
    for shift in (0.0, 0.3, 0.75):
        differences = np.round(rng.normal(shift, 3.0, size=400))
        exact = tails_of_sum(differences, level, 0, 1)
        sampled = tails_of_statistic(weighted(differences), differences, level, 20_000, 1)
        assert sampled.method == SAMPLED
        assert sampled.lower == pytest.approx(exact.lower, rel=0.15)
        if exact.upper > level / 30:
            assert sampled.upper == pytest.approx(exact.upper, rel=0.15)
        else:
            assert sampled.upper < level


def test_a_sampled_p_value_is_below_the_level_no_more_often_than_the_level_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_flips, "MAX_ENUMERATED", 0)
    rng = np.random.default_rng(7)
    sizes, level, trials = rng.exponential(size=12), 0.03, 4000
    below = 0
    for trial in range(trials):
        differences = sizes * rng.choice([-1.0, 1.0], size=12)
        tails = tails_of_statistic(weighted(differences), differences, level, 60, trial)
        below += tails.upper <= level
    assert 0.3 * level < below / trials <= level + 2 * np.sqrt(level / trials)


def test_the_same_seed_gives_the_same_p_value() -> None:
    differences = np.random.default_rng(1).normal(size=50)
    first, second, other = (tails_of_sum(differences, 0.01, 500, seed).upper for seed in (1, 1, 2))
    assert first == second != other
