"""A confidence sequence: intervals of a mean that hold for every number of rows at once, for test sets that grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seq2seq_core.evaluation.row_scoring import FloatArray
from seq2seq_core.gate.scored_rows import ScoredRows

MAX_BET = 0.5
"""The truncation c of the paper."""


@dataclass(frozen=True)
class ConfidenceSequence:
    """Bounds of a mean after each row.

    Attributes:
        low: after 1, 2, … rows, of shape (N,); never falls.
        high: likewise; never rises.
    """

    low: FloatArray
    high: FloatArray


def confidence_sequence(values: FloatArray, lowest: float, highest: float, error_rate: float) -> ConfidenceSequence:
    """Bounds that hold the mean after every row, with probability 1 - ``error_rate`` for all rows together.

    The predictable plug-in empirical Bernstein sequence (Waudby-Smith and Ramdas 2024, JRSS B 86, theorem 2 with equations 13 to
    15; its boundary process is that of Howard, Ramdas, McAuliffe and Sekhon 2021, Annals of Statistics 49, theorem 4), intersected
    over time.

    Args:
        values: in the order of arrival, each with the same mean given those before, of shape (N,).
        lowest: the lowest possible value.
        highest: the highest possible value.
        error_rate: the chance that some bound does not hold.

    Raises:
        ValueError: a value is out of range.
    """
    if ((values < lowest) | (values > highest)).any():
        raise ValueError(f"expected values from {lowest:g} to {highest:g}, got {values.min():g} to {values.max():g}")
    unit = (values - lowest) / (highest - lowest)
    times = np.arange(1, len(unit) + 1)
    means = (0.5 + unit.cumsum()) / (times + 1)
    variances = (0.25 + ((unit - means) ** 2).cumsum()) / (times + 1)
    means_before, variances_before = np.append(0.5, means[:-1]), np.append(0.25, variances[:-1])
    bets = np.minimum(MAX_BET, np.sqrt(2 * np.log(2 / error_rate) / (variances_before * times * np.log1p(times))))
    penalties = (unit - means_before) ** 2 * (-np.log1p(-bets) - bets)
    total = bets.cumsum()
    centre, radius = (bets * unit).cumsum() / total, (np.log(2 / error_rate) + penalties.cumsum()) / total
    low = np.maximum.accumulate(np.maximum(0.0, centre - radius))
    high = np.minimum.accumulate(np.minimum(1.0, centre + radius))
    return ConfidenceSequence(lowest + (highest - lowest) * low, lowest + (highest - lowest) * high)


def watch_gain(champion: ScoredRows, challenger: ScoredRows, level: float) -> ConfidenceSequence:
    """Bounds of the gain of one challenger over one champion after each row; each bound fails with a chance of ``level`` at most.

    Args:
        champion: the champion.
        challenger: the challenger on the same rows, in the order in which the rows joined the test set.
        level: the chance that a lower bound above 0 is wrong at any time.

    Raises:
        ValueError: the metric is no mean of bounded scores of rows (BLEU, chrF and error rates are not).
    """
    if challenger.scoring.row_range is None:
        raise ValueError(f"{challenger.metric.name} is no mean of bounded scores of rows; a confidence sequence needs one")
    lowest, highest = challenger.scoring.row_range
    differences = challenger.direction * (challenger.statistics[:, 0] - champion.statistics[:, 0])
    return confidence_sequence(differences, lowest - highest, highest - lowest, 2 * level)
