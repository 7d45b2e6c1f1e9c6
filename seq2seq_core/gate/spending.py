"""Spending of the error rate over all challengers that are compared on one test set."""

from __future__ import annotations

import math

import numpy as np

SHARE = 6.0 / math.pi**2
"""The squares' reciprocals 1, 1/4, 1/9, … sum to its reciprocal, so that all levels together are at most alpha."""


def level_of_look(alpha: float, look: int) -> float:
    """The level of the k-th comparison on a test set, ``6 alpha / (pi² k²)``.

    By Bonferroni's inequality the chance of any wrong promotion on the set is at most alpha, however many looks there are, and
    however the challengers depend on one another.

    Args:
        alpha: the most that the chance of a wrong promotion may be over the life of the test set.
        look: the comparison's number, from 1.

    Raises:
        ValueError: the number is below 1.
    """
    if look < 1:
        raise ValueError(f"expected a look of at least 1, got {look}")
    return SHARE * alpha / look**2


def spent_share(looks: int) -> float:
    """The share of alpha that so many looks have spent.

    Args:
        looks: their number.
    """
    return float(SHARE * (1.0 / np.arange(1, looks + 1, dtype=np.float64) ** 2).sum())
