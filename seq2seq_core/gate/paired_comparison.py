"""The comparison of two systems that decoded the same rows: the gain, its interval, and p-values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from seq2seq_core.evaluation.row_scoring import FloatArray
from seq2seq_core.gate.bootstrap import Interval, paired_intervals
from seq2seq_core.gate.scored_rows import ScoredRows, gradient
from seq2seq_core.gate.sign_flips import Tails, is_whole, tails_of_statistic, tails_of_sum

Outcome = Literal["better", "equal", "worse", "undecided"]
BETTER: Literal["better"] = "better"
EQUAL: Literal["equal"] = "equal"
WORSE: Literal["worse"] = "worse"
UNDECIDED: Literal["undecided"] = "undecided"


@dataclass(frozen=True)
class Effort:
    """The number of random draws of a comparison.

    Attributes:
        draws: of importance sampling, where a p-value has no exact form.
        resamples: of the bootstrap, for intervals.
        seed: of both.
    """

    draws: int = 10_000
    resamples: int = 2_000
    seed: int = 1


DEFAULT_EFFORT = Effort()


@dataclass(frozen=True)
class PairedComparison:
    """A challenger against a champion, or a baseline.

    Attributes:
        metric: the metric's name.
        num_rows: the number of rows.
        num_differing: rows on which the metric tells the two apart.
        champion: the champion's score.
        challenger: the challenger's score.
        gain: how much better the challenger is, in the metric's unit; negative: worse.
        deviation: see :func:`gain_deviation`.
        p_better: one-sided, against "the challenger is no better".
        p_worse: one-sided, against "the challenger is no worse".
        p_within_margin: one-sided, against "the challenger is worse by the margin or more"; ``p_better`` if the margin is 0.
        margin: the margin, in the metric's unit.
        level: the level that decides.
        method: the way of computing ``p_better``.
    """

    metric: str
    num_rows: int
    num_differing: int
    champion: Interval
    challenger: Interval
    gain: Interval
    deviation: float
    p_better: float
    p_worse: float
    p_within_margin: float
    margin: float
    level: float
    method: str

    @property
    def outcome(self) -> Outcome:
        """``better``, ``equal`` (proved to be worse by less than the margin), ``worse``, or ``undecided``.

        Both tests may use the whole level: who is better is also within the margin (Morikawa and Yoshida 1995).
        """
        if self.p_better <= self.level:
            return BETTER
        if self.margin > 0 and self.p_within_margin <= self.level:
            return EQUAL
        return WORSE if self.p_worse <= self.level else UNDECIDED

    @property
    def smallest_p(self) -> float:
        """The p-value if every differing row favoured the challenger; above ``level``, nothing could be proved."""
        return float(0.5**self.num_differing)


def compare(
    champion: ScoredRows, challenger: ScoredRows, level: float, margin: float = 0.0, effort: Effort = DEFAULT_EFFORT
) -> PairedComparison:
    """The comparison of a challenger with a champion.

    Args:
        champion: the champion.
        challenger: the challenger on the same rows, in the same order, by the same metric.
        level: the level that decides.
        margin: a loss below it does not matter, in the metric's unit.
        effort: the number of random draws.

    Raises:
        ValueError: the two have not the same metric or number of rows.
    """
    if champion.metric.name != challenger.metric.name or champion.num_rows != challenger.num_rows:
        raise ValueError(
            f"expected one metric and the same rows, got {champion.metric.name} of {champion.num_rows} rows and "
            f"{challenger.metric.name} of {challenger.num_rows}"
        )
    intervals = paired_intervals(champion, challenger, effort.resamples, effort.seed)
    tails = _swap_tails(champion, challenger, level, effort)
    within = tails
    if margin > 0:
        within = tails_of_sum(_shifted(champion, challenger, margin), level, effort.draws, effort.seed)
    return PairedComparison(
        challenger.metric.name,
        challenger.num_rows,
        tails.num_differing,
        intervals.champion,
        intervals.challenger,
        intervals.gain,
        gain_deviation(champion, challenger),
        p_better=tails.upper,
        p_worse=tails.lower,
        p_within_margin=within.upper,
        margin=margin,
        level=level,
        method=tails.method,
    )


def paired_influence(champion: ScoredRows, challenger: ScoredRows) -> FloatArray:
    """What each row adds to the gain beyond its share of it, of shape (N,): the gain's error is the root of its squares' sum.

    Args:
        champion: the champion.
        challenger: the challenger, on the same rows.
    """
    return challenger.direction * (challenger.influence() - champion.influence())


def gain_deviation(champion: ScoredRows, challenger: ScoredRows) -> float:
    """The standard deviation of a row's gain, in the metric's unit; squared, for right-or-wrong rows the share that differs.

    Args:
        champion: the champion.
        challenger: the challenger, on the same rows.
    """
    variance = champion.num_rows * float((paired_influence(champion, challenger) ** 2).sum())
    return math.sqrt(variance + (challenger.score - champion.score) ** 2 if challenger.is_binary else variance)


def _swap_tails(champion: ScoredRows, challenger: ScoredRows, level: float, effort: Effort) -> Tails:
    """The p-values under swaps of rows (Noreen 1989; Riezler and Maxwell 2005 for BLEU).

    Swaps test whether the systems are interchangeable. Systems of one BLEU need not be: one may be too short, the other too long,
    and the gain of their swapped outputs varies less than their own. So BLEU and chrF must also pass random signs of the rows'
    shares of the gain, which vary as the gain does; the larger p-value counts.
    """
    direction, scoring = challenger.direction, challenger.scoring
    if scoring.is_ratio and np.array_equal(champion.statistics[:, 1], challenger.statistics[:, 1]):
        differences = direction * (challenger.statistics[:, 0] - champion.statistics[:, 0])
        if is_whole(differences):
            return tails_of_sum(differences, level, effort.draws, effort.seed)
    differ = (champion.statistics != challenger.statistics).any(axis=1)
    change = (challenger.statistics - champion.statistics)[differ]
    both = champion.statistics.sum(axis=0) + challenger.statistics.sum(axis=0)

    def gains(signs: FloatArray) -> FloatArray:
        shift = signs @ change
        return direction * (scoring.combine((both + shift) / 2) - scoring.combine((both - shift) / 2))

    shares = direction * (change @ gradient(scoring, both / 2))
    swaps = tails_of_statistic(gains, shares, level, effort.draws, effort.seed)
    if scoring.is_ratio:
        return swaps
    signs = tails_of_sum(_shifted(champion, challenger, 0.0), level, effort.draws, effort.seed)
    return replace(swaps, upper=max(swaps.upper, signs.upper), lower=max(swaps.lower, signs.lower))


def _shifted(champion: ScoredRows, challenger: ScoredRows, margin: float) -> FloatArray:
    """What each row adds to gain plus margin, of shape (N,): their mean is 0 where the challenger is worse by just the margin."""
    gain = challenger.direction * (challenger.score - champion.score)
    return paired_influence(champion, challenger) + (gain + margin) / challenger.num_rows
