"""What chance does to the measures: the effects between random parts of one corpus, by which a later effect is judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.drift.corpus_profile import Chance
from seq2seq_core.drift.effects import Array, Kind, effect_size

RESAMPLES = 1000
SAMPLE_ROWS = 4096
"""Rows of a corpus whose parts are compared. Larger parts differ less, by the square root of their size."""
FEWEST_ROWS = 100
"""Of a corpus with fewer rows nothing is said."""
ALPHAS = (0.01, 0.02, 0.05, 0.1, 0.2)
SURENESS = 0.999
"""How sure it is, after so few resamples, that a threshold keeps its level."""
SMALLEST_SIZE = 25
FEW_ROWS = 3
WHOLE_ROWS_SPREAD = 2.576 / math.sqrt(8.0 * math.log(2.0))
"""The 99 % quantile of the Jensen-Shannon distance between shares of an event of whole rows, times the square root of the effective
size: the divergence of two near shares is ``d² / (8 p (1 - p) ln 2)``, and their difference ``d`` is normal."""
_SPREAD_QUANTILE = 0.99
_DIGITS = 4


@dataclass(frozen=True)
class RowCounts:
    """The counts of a measure in each row of a sample.

    Attributes:
        kind: of the measure.
        counts: rows by bins.
        is_rare: whether a share of it can be so rare that a sample shows too little of it, or in rows that are full of it: its
            spread is at least that of an event of whole rows.
        clustering: how much larger the variance is than that of independent rows.
    """

    kind: Kind
    counts: NDArray[np.float32]
    is_rare: bool = False
    clustering: float = 1.0

    def least_spread(self, size: float) -> float:
        """The least spread that is believed; of numbers, that of a few rows unlike all others.

        Args:
            size: the effective size.
        """
        if self.is_rare:
            return WHOLE_ROWS_SPREAD * math.sqrt(self.clustering)
        return FEW_ROWS / math.sqrt(size) if self.kind == "numbers" else 1e-6


def resample(measures: Mapping[str, RowCounts], seed: int = 0) -> Chance | None:
    """The effects between random parts of a sample; None: it has fewer than :data:`FEWEST_ROWS` rows.

    Each split gives a part to the newer corpus and the rest to the older one, at sizes from half of the sample downwards.

    Args:
        measures: by name, of the same rows.
        seed: of the splits.
    """
    rows = len(next(iter(measures.values())).counts) if measures else 0
    if rows < FEWEST_ROWS:
        return None
    columns = np.concatenate([own.counts for own in measures.values()], axis=1)
    draws = np.random.default_rng(seed).random((RESAMPLES, rows), dtype=np.float32)
    sizes, spreads, factors = list[int](), list[list[float]](), list[list[float]]()
    for size in _effective_sizes(rows):
        scaled = _scaled_effects(measures, columns, draws < _share(size, rows))
        spread = np.maximum(np.quantile(scaled, _SPREAD_QUANTILE, axis=0), [own.least_spread(size) for own in measures.values()])
        greatest = np.sort((scaled / spread).max(axis=1))[::-1]
        sizes.append(size)
        spreads.append([_rounded(value) for value in spread])
        factors.append([_rounded(greatest[allowed_alarms(alpha)]) for alpha in ALPHAS])
    by_alpha = {f"{alpha:g}": [own[place] for own in factors] for place, alpha in enumerate(ALPHAS)}
    return Chance(resamples=RESAMPLES, names=list(measures), sizes=sizes, spreads=spreads, factors=by_alpha)


def allowed_alarms(alpha: float) -> int:
    """The most resamples that may exceed a threshold of which it is :data:`SURENESS` sure that chance exceeds it less than alpha.

    Args:
        alpha: at least 0.01.
    """
    from scipy.special import bdtr

    counts = np.arange(RESAMPLES)
    return max(0, int(np.count_nonzero(bdtr(counts, RESAMPLES, alpha) <= 1.0 - SURENESS)) - 1)


def _effective_sizes(rows: int) -> list[int]:
    sizes = [rows // 4]
    while sizes[0] // 4 >= SMALLEST_SIZE:
        sizes.insert(0, sizes[0] // 4)
    return sizes


def _share(size: int, rows: int) -> float:
    """The share of a sample that has an effective size with the rest: the smaller root of ``rows · x (1 - x) = size``."""
    return (1.0 - math.sqrt(max(0.0, 1.0 - 4.0 * size / rows))) / 2.0


def _scaled_effects(measures: Mapping[str, RowCounts], columns: NDArray[np.float32], is_new: NDArray[np.bool_]) -> Array:
    """The effect of each split and measure, times the square root of the effective size."""
    new = (is_new.astype(np.float32) @ columns).astype(np.float64)
    old = columns.sum(axis=0, dtype=np.float64) - new
    size, rows = is_new.sum(axis=1), is_new.shape[1]
    scale = np.sqrt(size * (rows - size) / rows)
    effects, start = [], 0
    for own in measures.values():
        end = start + own.counts.shape[1]
        effects.append(effect_size(own.kind, old[:, start:end], new[:, start:end]) * scale * np.sqrt(own.clustering))
        start = end
    return np.stack(effects, axis=1)


def _rounded(value: float) -> float:
    """A value with few digits: the last ones of a logarithm depend on the machine."""
    return float(f"{value:.{_DIGITS}g}")
