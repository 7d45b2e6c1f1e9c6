"""How much a rule gains, with an interval and a p-value that count both the rows of dev and the chance of trainings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from scipy.special import stdtr, stdtrit

from seq2seq_core.gate.scored_rows import ScoredRows
from seq2seq_core.gate.slice_comparison import holm

LEVEL = 0.05


@dataclass(frozen=True)
class RuleEffect:
    """A variant against the present settings; positive gains speak for the present settings.

    Attributes:
        title: the variant, such as ``without drop_copies``.
        present: mean score of the models trained with the present settings.
        variant: mean score of those of the variant.
        gain: how much better the present settings are, in the metric's unit.
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided, against "no difference".
        adjusted_p: the same, adjusted for the number of variants (Holm 1979).
    """

    title: str
    present: float
    variant: float
    gain: float
    low: float
    high: float
    p: float
    adjusted_p: float

    @property
    def verdict(self) -> str:
        """What is shown at the level of 5 %: the present settings are better, worse, or neither."""
        if self.adjusted_p > LEVEL:
            return "no difference shown"
        return "better as it is" if self.gain > 0 else "the change is better"


def measure_effects(present: Sequence[ScoredRows], variants: Mapping[str, Sequence[ScoredRows]]) -> list[RuleEffect]:
    """The effect of each variant.

    The gain's variance has two parts: that of the rows, by each row's influence on the mean score of each side (as for a paired
    test), and that of trainings, by the differences between the seeds of one variant, pooled over all. The gain divided by its
    standard error has Student's distribution, with degrees of freedom by Satterthwaite (1946).

    Args:
        present: the outputs of the models trained with the present settings, one for each seed, at least two.
        variants: those of each variant, by title; the same rows and metric.
    """
    trainings = _training_variance([present, *variants.values()])
    freedom = sum(len(one) - 1 for one in (present, *variants.values()))
    effects = [_measure(title, present, variant, trainings, freedom) for title, variant in variants.items()]
    adjusted = holm([effect.p for effect in effects])
    return [replace(effect, adjusted_p=p) for effect, p in zip(effects, adjusted, strict=True)]


def _measure(
    title: str, present: Sequence[ScoredRows], variant: Sequence[ScoredRows], trainings: float, freedom: int
) -> RuleEffect:
    score, other = (fmean(one.score for one in side) for side in (present, variant))
    gain = present[0].direction * (score - other)
    influence = np.mean([one.influence() for one in present], axis=0) - np.mean([one.influence() for one in variant], axis=0)
    of_rows, of_trainings = float((influence**2).sum()), trainings * (1 / len(present) + 1 / len(variant))
    error = math.sqrt(of_rows + of_trainings)
    if not error:  # the same outputs
        return RuleEffect(title, score, other, gain, gain, gain, 1.0, 1.0)
    num_rows = present[0].num_rows
    degrees = (of_rows + of_trainings) ** 2 / (of_rows**2 / max(1, num_rows - 1) + of_trainings**2 / freedom)
    p = 2 * float(stdtr(degrees, -abs(gain) / error))
    half = float(stdtrit(degrees, 1 - LEVEL / 2)) * error
    return RuleEffect(title, score, other, gain, gain - half, gain + half, p, p)


def _training_variance(variants: Sequence[Sequence[ScoredRows]]) -> float:
    """The variance of a score between trainings that differ by their seed alone, pooled over the variants."""
    squares = [float(np.var([one.score for one in variant])) * len(variant) for variant in variants]
    return sum(squares) / sum(len(variant) - 1 for variant in variants)
