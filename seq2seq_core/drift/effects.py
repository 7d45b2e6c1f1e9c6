"""Sizes of effect between two distributions, from 0 (the same) to 1 (nothing in common)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["shares", "numbers"]
"""``shares``: of categories, compared by Jensen-Shannon distance. ``numbers``: ordered bins, by Kolmogorov-Smirnov distance."""
Array = NDArray[np.float64]


def effect_size(kind: Kind, old: NDArray[Any], new: NDArray[Any]) -> Array:
    """The effect between two histograms along the last axis; 0 where both are empty, 1 where only one is.

    Args:
        kind: which distance.
        old: counts of the bins.
        new: counts of the same bins.
    """
    totals = [counts.sum(axis=-1, keepdims=True, dtype=np.float64) for counts in (old, new)]
    first, second = (counts / np.maximum(total, 1e-300) for counts, total in zip((old, new), totals, strict=True))
    effect = _jensen_shannon(first, second) if kind == "shares" else _kolmogorov_smirnov(first, second)
    has_first, has_second = (total[..., 0] > 0 for total in totals)
    one_is_empty: Array = np.where(has_first == has_second, 0.0, 1.0)
    result: Array = np.where(has_first & has_second, effect, one_is_empty)
    return result


def _jensen_shannon(first: Array, second: Array) -> Array:
    """The square root of the Jensen-Shannon divergence in bits (Endres and Schindelin 2003), many at once."""
    from scipy.special import rel_entr

    middle = (first + second) / 2.0
    divergence = (rel_entr(first, middle) + rel_entr(second, middle)).sum(axis=-1) / 2.0
    bits: Array = np.clip(np.asarray(divergence, dtype=np.float64) / np.log(2.0), 0.0, 1.0)
    return np.sqrt(bits)


def _kolmogorov_smirnov(first: Array, second: Array) -> Array:
    """The largest difference of the two cumulative distributions."""
    return np.asarray(np.abs(np.cumsum(first - second, axis=-1)).max(axis=-1), dtype=np.float64)
