"""Learning curves of two systems over several seeds: a table, and a verdict on whether one system is worse.

For each seed, both systems have the same initial weights and batches, and differ in their dropout. So they are compared seed by
seed: the statistic is Student's t (1908) of the differences, with n - 1 degrees of freedom. With few seeds its interval is wide
(three seeds: 4.30 standard errors to each side at 95 %), as it should be. Validations of one training are correlated, so the
verdict does not count significant validations. It compares one number per training, the mean of its curve.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import scipy.stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedDifference:
    """The difference between two figures (first minus second) over several seeds.

    Attributes:
        mean: mean of the differences.
        error: standard error of the mean; NaN with a single seed.
        low: lower end of the interval of the mean.
        high: upper end of the interval of the mean.
    """

    mean: float
    error: float
    low: float
    high: float

    @property
    def in_errors(self) -> float:
        """The mean in standard errors (Student's t); NaN where the error is 0 or NaN."""
        return self.mean / self.error if self.error else math.nan


def paired_difference(first: Sequence[float], second: Sequence[float]) -> PairedDifference:
    """The difference of two figures.

    Args:
        first: the first figure, one for each seed.
        second: the second figure, for the same seeds.
    """
    differences = [one - other for one, other in zip(first, second, strict=True)]
    mean, number = statistics.fmean(differences), len(differences)
    error = spread(differences) / math.sqrt(number)
    half = error * critical_errors(number)
    return PairedDifference(mean, error, mean - half, mean + half)


def critical_errors(number: int) -> float:
    """The half-width of a mean's interval, in standard errors.

    Args:
        number: number of seeds; with 1 the result is NaN.
    """
    return float(scipy.stats.t.ppf(0.5 + CONFIDENCE / 2, number - 1)) if number > 1 else math.nan


def spread(values: Sequence[float]) -> float:
    """The standard deviation between seeds; NaN with a single seed."""
    return statistics.stdev(values) if len(values) > 1 else math.nan


def as_table(steps: Sequence[int], ours: Sequence[Sequence[float]], plain: Sequence[Sequence[float]]) -> str:
    """The table of both mean curves, with standard deviations between seeds, and their difference at each validation.

    Args:
        steps: the number of updates at each validation.
        ours: our curve for each seed.
        plain: the plain implementation's curve for the same seeds.
    """
    lines = ["| update | ours | plain | difference | in standard errors |", "|---|---|---|---|---|"]
    for step, one, other in zip(steps, zip(*ours, strict=True), zip(*plain, strict=True), strict=True):
        found = paired_difference(one, other)
        in_errors = "–" if math.isnan(found.in_errors) else f"{found.in_errors:+.1f}"
        lines.append(f"| {step} | {_mean(one)} | {_mean(other)} | {found.mean:+.4f} | {in_errors} |")
    return "\n".join(lines)


def verdict(ours: Sequence[Sequence[float]], plain: Sequence[Sequence[float]]) -> str:
    """The verdict in words on whether ours is worse, by the mean of each curve over its validations.

    Args:
        ours: our curve for each seed.
        plain: the plain implementation's curve for the same seeds.
    """
    one, other = ([statistics.fmean(curve) for curve in curves] for curves in (ours, plain))
    found = paired_difference(one, other)
    text = f"mean over the validations: ours {_mean(one)}, plain {_mean(other)}, difference {found.mean:+.4f}"
    if len(one) < 2:
        return f"{text}\nno verdict: one seed says nothing of the noise"
    text += (
        f"\n{CONFIDENCE:.0%} interval of the difference: {found.low:+.4f} to {found.high:+.4f}"
        f" ({critical_errors(len(one)):.2f} standard errors to each side)\n"
    )
    if found.low > 0:
        return f"{text}WORSE: ours is above plain by more than the noise"
    if found.high < 0:
        return f"{text}better: ours is below plain by more than the noise"
    share = found.high / statistics.fmean(other)
    return f"{text}no harm seen: the interval holds 0; what it leaves possible is a loss that is {share:.2%} higher"


def _mean(values: Sequence[float]) -> str:
    """The mean over seeds ± their standard deviation, if there are several."""
    return f"{statistics.fmean(values):.4f}" + (f" ± {spread(values):.4f}" if len(values) > 1 else "")
