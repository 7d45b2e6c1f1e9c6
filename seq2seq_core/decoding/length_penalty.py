"""The length penalty, which makes hypotheses of different lengths comparable."""

from __future__ import annotations


def length_penalty(length: int, exponent: float) -> float:
    """The divisor of a log-probability: ((5 + length) / 6) ** exponent (Wu 2016, equation 14).

    Args:
        length: the hypothesis's tokens, its end mark included.
        exponent: 0 leaves log-probabilities as they are, 1 nearly gives their mean.
    """
    return float(((5 + length) / 6) ** exponent)
