"""Randomisation tests of paired rows: how often is the gain as large if the two systems swap outputs of rows at random?

Three ways give the p-value: a list of all swaps (few rows that differ), the exact distribution of a sum of whole numbers (exact
match, error rates), and importance sampling (everything else), which resolves levels of 1e-9 with some thousand draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaln, ndtri

from seq2seq_core.evaluation.row_scoring import FloatArray

MAX_ENUMERATED = 14
"""Up to so many rows that differ, all swaps are listed."""
MAX_SUM = 20_000
"""Up to so large a sum of whole differences its exact distribution is computed."""
CHUNK = 2_000_000
"""Swaps (draws times rows) that are held in memory at a time."""
ROUNDING = 1e-9
"""Relative difference below which two gains are equal."""
ENUMERATED, EXACT, SAMPLED = "all swaps", "exact distribution", "approximate randomisation"

Statistic = Callable[[FloatArray], FloatArray]
"""The gain for signs of shape (R, M): -1 where the systems swap a row."""


@dataclass(frozen=True)
class Tails:
    """The p-values of an observed gain.

    Attributes:
        upper: one-sided, against "no better".
        lower: one-sided, against "no worse".
        method: the way of computing them.
        num_differing: the number of rows that differ.
    """

    upper: float
    lower: float
    method: str
    num_differing: int


def tails_of_sum(differences: FloatArray, level: float, num_draws: int, seed: int) -> Tails:
    """The test of a sum of differences; for exact match it is McNemar's exact test.

    Args:
        differences: of each row, positive where the challenger is better, of shape (N,).
        level: the level that the p-value will be compared with; importance sampling aims there.
        num_draws: number of draws, where no exact way is at hand.
        seed: of the draws.
    """
    differences = differences[differences != 0]
    if is_whole(differences):
        upper, lower = _exact_tails(differences)
        return Tails(upper, lower, EXACT, len(differences))
    return tails_of_statistic(lambda signs: signs @ differences, differences, level, num_draws, seed)


def tails_of_statistic(statistic: Statistic, shares: FloatArray, level: float, num_draws: int, seed: int) -> Tails:
    """The test of any gain that swaps of rows change; the observed gain is that of no swap.

    Args:
        statistic: the gain for some signs; its negative for the opposite signs.
        shares: what each differing row adds to the gain, to the first order, of shape (M,); steers the sampling only.
        level: see :func:`tails_of_sum`.
        num_draws: see there.
        seed: see there.
    """
    num_differing = len(shares)
    if num_differing <= MAX_ENUMERATED:
        numbers = np.arange(2**num_differing)[:, None]
        gains = statistic(np.where(numbers >> np.arange(num_differing) & 1, -1.0, 1.0))
        slack = ROUNDING * np.abs(gains).max(initial=0.0)
        upper, lower = (gains >= gains[0] - slack).mean(), (gains <= gains[0] + slack).mean()
        return Tails(float(upper), float(lower), ENUMERATED, num_differing)
    upper, lower = _sampled_tails(statistic, shares, level, num_draws, seed)
    return Tails(upper, lower, SAMPLED, num_differing)


def is_whole(differences: FloatArray) -> bool:
    """Whether the exact distribution of a sum of these differences is at hand.

    Args:
        differences: of each row, of shape (N,).
    """
    return bool((differences == np.round(differences)).all()) and np.abs(differences).sum() <= MAX_SUM


def _exact_tails(differences: FloatArray) -> tuple[float, float]:
    """Both tails of the sum under random signs, by convolution (Pagano and Tritchler 1983, JASA 78, section 2)."""
    sizes, counts = np.unique(np.abs(differences).astype(np.int64), return_counts=True)
    probabilities = np.ones(1)
    for size, count in zip(sizes, counts, strict=True):
        kernel = np.zeros(size * count + 1)
        wins = np.arange(count + 1)
        kernel[::size] = np.exp(gammaln(count + 1) - gammaln(wins + 1) - gammaln(count - wins + 1) - count * np.log(2.0))
        probabilities = np.convolve(probabilities, kernel)
    positive = int(differences[differences > 0].sum())
    return min(1.0, float(probabilities[positive:].sum())), min(1.0, float(probabilities[: positive + 1].sum()))


def _sampled_tails(statistic: Statistic, shares: FloatArray, level: float, num_draws: int, seed: int) -> tuple[float, float]:
    """Both tails by importance sampling, as valid p-values (Harrison 2012, Biometrika 99, equation 4).

    A draw keeps the better output of a row for the challenger with a probability that grows with the row's share (an exponential
    tilt). A third of the draws has no tilt, a third reaches for the gain at which the p-value is the level, a third for half of it.
    The tilt depends on what swaps cannot change, as validity demands. The opposite of each draw serves the other tail.
    """
    rng = np.random.default_rng(seed)
    sizes, towards = np.abs(shares), np.where(shares < 0, -1.0, 1.0)
    observed = statistic(np.ones((1, len(shares))))[0]
    slack = ROUNDING * abs(observed)
    tilts = -ndtri(max(level, 1e-15)) / (np.sqrt((sizes**2).sum()) or 1.0) * np.array([0.0, 0.5, 1.0])
    chances = expit(2.0 * tilts[:, None] * sizes)
    log_norms = (np.logaddexp(tilts[:, None] * sizes, -tilts[:, None] * sizes) - np.log(2.0)).sum(axis=1)

    def weights(totals: FloatArray) -> FloatArray:
        return np.asarray(len(tilts) / np.exp(tilts * totals[:, None] - log_norms).sum(axis=1))

    sums = np.array([weights(np.array([shares.sum()]))[0], weights(np.array([-shares.sum()]))[0]])
    chunk = max(1, CHUNK // len(shares))
    for start in range(0, num_draws, chunk):
        component = rng.integers(len(tilts), size=min(chunk, num_draws - start))
        favours = np.where(rng.random((len(component), len(shares))) < chances[component], 1.0, -1.0)
        gains, own = statistic(favours * towards), weights(favours @ sizes)
        sums += own[gains >= observed - slack].sum(), own[-gains <= observed + slack].sum()
    upper, lower = np.minimum(1.0, sums / (num_draws + 1))
    return float(upper), float(lower)
