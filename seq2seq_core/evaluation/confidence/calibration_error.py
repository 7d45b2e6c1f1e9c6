"""The expected calibration error of confidences, by bins of equal mass.

The answers are sorted by confidence and cut into ten bins of the same number. The error is the mean, over the answers, of the
difference between a bin's mean confidence and its share of right answers (Naeini and others 2015, Nguyen and O'Connor 2015).
Chance alone makes it larger than 0: what a perfect calibration would show with as many answers is stated beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BINS = 10
RESAMPLES, SEED = 1000, 1


@dataclass(frozen=True)
class ConfidenceBin:
    """Answers of neighbouring confidences.

    Attributes:
        low: the lowest confidence among them.
        high: the highest.
        count: their number.
        confidence: their mean confidence.
        right: the share of right ones.
    """

    low: float
    high: float
    count: int
    confidence: float
    right: float


@dataclass(frozen=True)
class CalibrationError:
    """An expected calibration error.

    Attributes:
        value: the error.
        low: the 2.5th percentile of the errors of resampled answers (bootstrap).
        high: the 97.5th percentile.
        by_chance: the mean error if each answer were right with the probability that its confidence states.
    """

    value: float
    low: float
    high: float
    by_chance: float


def make_bins(confidences_N: FloatArray, right_N: npt.NDArray[np.bool_], number: int = BINS) -> list[ConfidenceBin]:
    """Bins of equal mass, least confident first.

    Args:
        confidences_N: from 0 to 1; at least one.
        right_N: whether each answer is right.
        number: of bins; fewer if there are fewer answers.
    """
    order = np.argsort(confidences_N, kind="stable")
    parts = [part for part in np.array_split(order, number) if len(part)]
    return [
        ConfidenceBin(
            low=float(confidences_N[part[0]]),
            high=float(confidences_N[part[-1]]),
            count=len(part),
            confidence=float(confidences_N[part].mean()),
            right=float(right_N[part].mean()),
        )
        for part in parts
    ]


def find_calibration_error(confidences_N: FloatArray, right_N: npt.NDArray[np.bool_]) -> CalibrationError:
    """The expected calibration error, its interval, and what chance would show.

    Args:
        confidences_N: from 0 to 1; at least one.
        right_N: whether each answer is right.
    """
    chance, number = np.random.default_rng(SEED), len(confidences_N)
    drawn = [chance.integers(number, size=number) for _ in range(RESAMPLES)]
    resampled = [_error(confidences_N[places], right_N[places]) for places in drawn]
    perfect = [_error(confidences_N, chance.random(number) < confidences_N) for _ in range(RESAMPLES)]
    low, high = np.percentile(resampled, [2.5, 97.5])
    return CalibrationError(_error(confidences_N, right_N), float(low), float(high), float(np.mean(perfect)))


def _error(confidences_N: FloatArray, right_N: npt.NDArray[np.bool_]) -> float:
    order = np.argsort(confidences_N, kind="stable")
    gaps_N = confidences_N[order] - right_N[order]
    return float(sum(abs(part.sum()) for part in np.array_split(gaps_N, BINS)) / len(gaps_N))
