"""Paired bootstrap (Koehn 2004): scores of two systems on rows drawn with replacement, the same rows for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_core.evaluation.row_scoring import FloatArray
from seq2seq_core.gate.scored_rows import ScoredRows

CHUNK = 2_000_000
"""Drawn rows that are held in memory at a time."""
COVERAGE = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval.

    Attributes:
        value: the figure on the test set itself.
        low: the 2.5th percentile of the resamples.
        high: the 97.5th percentile.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedIntervals:
    """Two systems' scores, and their difference.

    Attributes:
        champion: the champion's score.
        challenger: the challenger's score.
        gain: how much better the challenger is; negative: worse.
    """

    champion: Interval
    challenger: Interval
    gain: Interval


def paired_intervals(champion: ScoredRows, challenger: ScoredRows, num_resamples: int, seed: int) -> PairedIntervals:
    """The scores and the gain of the challenger, with intervals.

    Args:
        champion: the champion.
        challenger: the challenger, on the same rows.
        num_resamples: number of resamples.
        seed: of the resamples.
    """
    first, second = _resampled_scores([champion, challenger], num_resamples, seed)
    direction = challenger.direction
    return PairedIntervals(
        _interval(champion.score, first),
        _interval(challenger.score, second),
        _interval(direction * (challenger.score - champion.score), direction * (second - first)),
    )


def intervals(systems: Sequence[ScoredRows], num_resamples: int, seed: int) -> list[Interval]:
    """The score of each system with its interval; all are resampled alike.

    Args:
        systems: at least one, all on the same rows.
        num_resamples: number of resamples.
        seed: of the resamples.
    """
    resampled = _resampled_scores(systems, num_resamples, seed)
    return [_interval(system.score, scores) for system, scores in zip(systems, resampled, strict=True)]


def _interval(value: float, resampled: FloatArray) -> Interval:
    low, high = np.percentile(resampled, [100 * (1 - COVERAGE) / 2, 100 * (1 + COVERAGE) / 2])
    return Interval(value, float(low), float(high))


def _resampled_scores(systems: Sequence[ScoredRows], num_resamples: int, seed: int) -> list[FloatArray]:
    """Each system's scores on the same resamples, of shape (R,)."""
    rng = np.random.default_rng(seed)
    num_rows = systems[0].num_rows
    chunk = max(1, CHUNK // num_rows)
    scores: list[list[FloatArray]] = [[] for _ in systems]
    for start in range(0, num_resamples, chunk):
        size = min(chunk, num_resamples - start)
        places = rng.integers(num_rows, size=(size, num_rows)) + num_rows * np.arange(size)[:, None]
        counts = np.bincount(places.ravel(), minlength=size * num_rows).reshape(size, num_rows).astype(np.float64)
        for system, found in zip(systems, scores, strict=True):
            found.append(system.scoring.combine(counts @ system.statistics))
    return [np.concatenate(found) for found in scores]
