"""The smallest gain that a test set can show, before a challenger is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, bdtrc, bdtrik, ndtr, ndtri  # scipy.stats takes half a second to load

from seq2seq_core.evaluation.scores import find_metric
from seq2seq_core.gate.paired_comparison import PairedComparison
from seq2seq_core.gate.scored_rows import RIGHT_OR_WRONG, USUAL_SHARE
from seq2seq_core.gate.spending import level_of_look

IntArray = npt.NDArray[np.int64]
PAIRS: Literal["pairs"] = "pairs"
ASSUMED: Literal["assumed"] = "assumed"
MAX_LOOKS = 10**6
STEPS = 60
"""Halvings of a bisection."""


@dataclass(frozen=True)
class Spread:
    """How much the gain of one row varies from row to row.

    Attributes:
        deviation: the standard deviation of a row's gain, in the metric's unit; squared, it is for right-or-wrong rows the share of
            rows on which just one system is right.
        is_binary: whether rows are right or wrong.
        scale: the largest gain that makes sense, the metric's scale.
        source: ``pairs`` if outputs of two systems gave it, or ``assumed``.
    """

    deviation: float
    is_binary: bool
    scale: float
    source: Literal["pairs", "assumed"]


def assumed_spread(metric: str) -> Spread:
    """The spread to assume as long as no outputs of two models are known.

    Args:
        metric: the metric's name.
    """
    found = find_metric(metric)
    deviation = USUAL_SHARE * found.scale if found.rows is None else found.rows.usual_deviation
    return Spread(deviation, found.rows is not None and found.rows.row_range == RIGHT_OR_WRONG, found.scale, ASSUMED)


def spread_of(comparisons: Sequence[PairedComparison]) -> Spread:
    """The spread of earlier comparisons; their variances are averaged.

    Args:
        comparisons: at least one, by one metric.
    """
    assumed = assumed_spread(comparisons[0].metric)
    deviation = math.sqrt(sum(one.deviation**2 for one in comparisons) / len(comparisons))
    return replace(assumed, deviation=deviation, source=PAIRS)


def chance_of_promotion(gain: float, num_rows: int, level: float, spread: Spread) -> float:
    """The power: how often a challenger that is truly better by some gain is proved better.

    Right-or-wrong rows: the power of the exact test, given the share of rows that differ (at least the gain). Others: by the normal
    approximation; under swaps the gain's variance holds the gain's square.

    Args:
        gain: the true gain, in the metric's unit.
        num_rows: number of test rows.
        level: the level of the comparison.
        spread: of the rows' gains.
    """
    if not spread.is_binary:
        error = spread.deviation / math.sqrt(num_rows)
        if error == 0:
            return float(gain > 0)
        critical = -ndtri(level) * math.sqrt(error**2 + gain**2 / num_rows)
        return float(ndtr((gain - critical) / error))
    differing = min(1.0, max(spread.deviation**2, gain))
    if differing == 0:
        return 0.0
    low, high = bdtrik([1e-9, 1 - 1e-9], num_rows, differing)
    counts = np.arange(max(1, int(low)), math.ceil(high) + 1)
    power = bdtrc(_wins_needed(counts, level) - 1, counts, (1 + gain / differing) / 2)
    return float((np.diff(bdtr(counts, num_rows, differing), prepend=0.0) * power).sum())


def _wins_needed(counts: IntArray, level: float) -> IntArray:
    """The fewest wins w, for each number of rows that differ, with P(wins >= w) <= level if each system is as likely to win."""
    losses = np.floor(np.nan_to_num(bdtrik(level, counts, 0.5)))  # the most l with P(losses <= l) <= level, where there is one
    losses = np.where(bdtr(losses, counts, 0.5) <= level, losses, losses - 1)
    return np.asarray(counts - losses, dtype=np.int64)


def smallest_gain(num_rows: int, level: float, power: float, spread: Spread) -> float | None:
    """The smallest true gain that is proved with a stated chance; None where even the largest gain is not.

    Args:
        num_rows: number of test rows.
        level: the level of the comparison.
        power: the chance, such as 0.8.
        spread: of the rows' gains.
    """

    def is_shown(gain: float) -> bool:
        return chance_of_promotion(gain, num_rows, level, spread) >= power

    if not is_shown(spread.scale):
        return None
    low, high = 0.0, spread.scale
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_shown(middle) else (middle, high)
    return high


def looks_until_renewal(gain: float, num_rows: int, alpha: float, power: float, spread: Spread) -> int:
    """The number of comparisons that still show some gain with a stated chance; then it is time for a new test set.

    Args:
        gain: the gain that should be seen.
        num_rows: number of test rows.
        alpha: the error rate over the life of the set.
        power: the chance, such as 0.8.
        spread: of the rows' gains.

    Returns:
        0 if the set never shows it; at most a million.
    """
    return _last(lambda look: chance_of_promotion(gain, num_rows, level_of_look(alpha, look), spread) >= power, MAX_LOOKS)


def _last(holds: Callable[[int], bool], largest: int) -> int:
    """The largest number up to a bound for which something holds that holds for all smaller ones; 0 if for none."""
    low, high = 0, largest + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
