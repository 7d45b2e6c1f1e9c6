"""How far the model's own probability of an answer tells whether the answer is right.

A sequence model gives the probability of its whole answer. Where each source has one right answer, this is the confidence of a
classifier: the expected calibration error compares it with the share of right answers (Guo et al. 2017, equation 3). Where many
answers are right, as in translation, the probability is shared among them, and an answer of probability 0.1 may well be good: the
error means nothing there. What is left is the order: the score of each fifth of the answers, from the least to the most certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seq2seq_core.evaluation.roc_area import roc_area
from seq2seq_core.gate.bootstrap import intervals
from seq2seq_core.gate.scored_rows import ScoredRows
from seq2seq_core.model_card.facts import Calibration, Figure, ReliabilityBin

BINS, PARTS = 10, 5
LEAST_RIGHT_SHARE, LEAST_ROWS = 0.2, 50
"""Below this share of answers that equal their reference, or with fewer answers, no calibration error is stated."""
RESAMPLES, SEED = 500, 1


def calibrate(log_probabilities: Sequence[float], right: Sequence[bool], rows: ScoredRows) -> Calibration | None:
    """The calibration of answers; None where there are no usable probabilities.

    Args:
        log_probabilities: natural logarithm of each answer's probability.
        right: whether each answer equals its reference.
        rows: the answers by the main metric.
    """
    if len(log_probabilities) != len(right) or len(right) != rows.num_rows or not all(map(math.isfinite, log_probabilities)):
        return None
    logs, correct = np.array(log_probabilities), np.array(right, dtype=np.float64)
    bins = _bins(np.exp(np.minimum(logs, 0.0)), correct)
    error = sum(one.count * abs(one.right - one.confidence) for one in bins) / len(correct)
    is_meaningful = len(correct) >= LEAST_ROWS and correct.mean() >= LEAST_RIGHT_SHARE
    order = np.argsort(logs, kind="stable")
    parts = [part for part in np.array_split(order, PARTS) if len(part)]
    quality = [intervals([rows.part(part)], RESAMPLES, SEED)[0] for part in parts]
    return Calibration(
        bins=bins,
        error=float(error) if is_meaningful else None,
        quality=[Figure(value=one.value, low=one.low, high=one.high) for one in quality],
        ranking=roc_area(logs, correct == 1),
    )


def _bins(
    probabilities: np.ndarray[tuple[int], np.dtype[np.float64]], right: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> list[ReliabilityBin]:
    """Ten ranges of probability of equal width; empty ones are left out."""
    places = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    return [
        ReliabilityBin(
            low=place / BINS,
            high=(place + 1) / BINS,
            count=int(mask.sum()),
            confidence=float(probabilities[mask].mean()),
            right=float(right[mask].mean()),
        )
        for place in range(BINS)
        if (mask := places == place).any()
    ]
