"""Learning curves of two systems over several seeds: a table, and whether one is worse than the other.

The two share a seed's initial weights and batches and differ in their dropout, so that they are compared seed by seed: what counts
are the differences of the seeds, by Student's t (1908) with n - 1 degrees of freedom. With few seeds its interval is wide (three:
4.30 standard errors to each side at 95 %), which is what they are worth. Validations of one training hang together, so that the
verdict does not count how many of them are significant: it compares one number a training, the mean of its curve over them.
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
    """How much larger the first of two figures is, over several seeds.

    Attributes:
        mean: of the differences.
        error: standard error of the mean; not a number with a single seed.
        low: lower end of the interval of the mean.
        high: upper end.
    """

    mean: float
    error: float
    low: float
    high: float

    @property
    def in_errors(self) -> float:
        """The mean in standard errors (Student's t); not a number where there is no error."""
        return self.mean / self.error if self.error else math.nan


def paired_difference(first: Sequence[float], second: Sequence[float]) -> PairedDifference:
    """The difference of two figures.

    Args:
        first: a figure a seed.
        second: of the same seeds.
    """
    differences = [one - other for one, other in zip(first, second, strict=True)]
    mean, number = statistics.fmean(differences), len(differences)
    error = spread(differences) / math.sqrt(number)
    half = error * critical_errors(number)
    return PairedDifference(mean, error, mean - half, mean + half)


def critical_errors(number: int) -> float:
    """To how many standard errors on each side the interval of a mean reaches.

    Args:
        number: of seeds.
    """
    return float(scipy.stats.t.ppf(0.5 + CONFIDENCE / 2, number - 1)) if number > 1 else math.nan


def spread(values: Sequence[float]) -> float:
    """The standard deviation between seeds; not a number with a single one."""
    return statistics.stdev(values) if len(values) > 1 else math.nan


def as_table(steps: Sequence[int], ours: Sequence[Sequence[float]], plain: Sequence[Sequence[float]]) -> str:
    """Both mean curves with their standard deviations between seeds, and the difference at each validation.

    Args:
        steps: updates before each validation.
        ours: a curve a seed.
        plain: of the same seeds.
    """
    lines = ["| update | ours | plain | difference | in standard errors |", "|---|---|---|---|---|"]
    for step, one, other in zip(steps, zip(*ours, strict=True), zip(*plain, strict=True), strict=True):
        found = paired_difference(one, other)
        in_errors = "–" if math.isnan(found.in_errors) else f"{found.in_errors:+.1f}"
        lines.append(f"| {step} | {_mean(one)} | {_mean(other)} | {found.mean:+.4f} | {in_errors} |")
    return "\n".join(lines)


def verdict(ours: Sequence[Sequence[float]], plain: Sequence[Sequence[float]]) -> str:
    """Whether ours is worse, by the mean of each curve over its validations; in words.

    Args:
        ours: a curve a seed.
        plain: of the same seeds.
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
    """The mean of some seeds ± their standard deviation, where there are several."""
    return f"{statistics.fmean(values):.4f}" + (f" ± {spread(values):.4f}" if len(values) > 1 else "")
