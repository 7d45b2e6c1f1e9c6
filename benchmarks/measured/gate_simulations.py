"""Simulated challengers, decided on by the real code of the promotion gate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from seq2seq_core.evaluation.metrics.exact_match import METRIC
from seq2seq_core.evaluation.row_scoring import FloatArray
from seq2seq_core.gate.decision import decide
from seq2seq_core.gate.paired_comparison import Effort
from seq2seq_core.gate.policy import Policy
from seq2seq_core.gate.scored_rows import ScoredRows

NUM_ROWS = 1190
QUALITY = 0.9
AGREEMENT = 0.8
"""Shape of the rows' difficulty: two systems of quality 0.9 then differ on about one row in ten."""
EXACT_MATCH = Policy("exact_match", effort=Effort(draws=300, resamples=2))
BLEU = Policy("bleu", effort=Effort(draws=1000, resamples=2))
"""Few draws and resamples: a p-value is valid with any number, and nothing here reads an interval."""

Pair = tuple[ScoredRows, ScoredRows]
"""A champion and a challenger."""


@dataclass(frozen=True)
class Life:
    """Many retrains in a row on one test set.

    Attributes:
        promotions: how many challengers the gate promoted.
        naive_promotions: how many have a higher score than the champion, where each such one takes its place.
        naive_excess: how far the champion's score is then above the truth.
    """

    promotions: int
    naive_promotions: int
    naive_excess: float


def right_or_wrong(right: npt.NDArray[np.bool_]) -> ScoredRows:
    """A system with exact match.

    Args:
        right: whether it is right, of shape (N,).
    """
    assert METRIC.rows is not None
    return ScoredRows(METRIC, METRIC.rows, np.column_stack([right, np.ones(len(right))]).astype(np.float64))


def draw_difficulties(rng: np.random.Generator, num_rows: int = NUM_ROWS) -> FloatArray:
    """The chance of each row that a system of the common quality is right: easy rows are easy for all, of shape (N,).

    Args:
        rng: random numbers.
        num_rows: number of rows.
    """
    return rng.beta(QUALITY * AGREEMENT, (1 - QUALITY) * AGREEMENT, size=num_rows)


def draw_equal_pairs(num_trials: int, seed: int) -> Iterator[Pair]:
    """Pairs of one true quality on fresh test sets.

    Args:
        num_trials: number of pairs.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    for _ in range(num_trials):
        chances = draw_difficulties(rng)
        champion, challenger = (right_or_wrong(rng.random(NUM_ROWS) < chances) for _ in range(2))
        yield champion, challenger


def draw_pairs_with_gain(gain: float, differing: float, num_trials: int, seed: int) -> Iterator[Pair]:
    """Pairs whose challenger is truly better, on fresh test sets.

    Args:
        gain: the true difference of exact match.
        differing: the share of rows on which just one is right.
        num_trials: number of pairs.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    for _ in range(num_trials):
        kind = rng.choice(3, p=[(differing + gain) / 2, (differing - gain) / 2, 1 - differing], size=NUM_ROWS)
        both = rng.random(NUM_ROWS) < QUALITY
        yield right_or_wrong(np.where(kind == 2, both, kind == 1)), right_or_wrong(np.where(kind == 2, both, kind == 0))


def exchange(pair: Pair, gain: float, seed: int) -> Pair:
    """Two systems that differ on the same rows as a real pair, with a chosen gain: some rows' outputs are exchanged between them.

    Args:
        pair: the worse and the better system.
        gain: the gain of the second over the first on all rows, at most that of the pair.
        seed: of the choice of rows.
    """
    return _exchange_first(pair, np.random.default_rng(seed).permutation(pair[0].num_rows), gain)


def equal_but_unlike(pair: Pair) -> Pair:
    """Two systems of one score that are not alike: the first has few large gains, the second many small ones.

    The better system gives away its outputs on the rows where it gains most, until both scores are equal.

    Args:
        pair: the worse and the better system.
    """
    return _exchange_first(pair, np.argsort(pair[0].influence() - pair[1].influence()), 0.0)


def _exchange_first(pair: Pair, order: npt.NDArray[np.int64], gain: float) -> Pair:
    """The pair with the outputs of the first rows of an order exchanged: as few of them as bring the gain down to a figure."""
    worse, better = pair
    change = (better.statistics - worse.statistics)[order].cumsum(axis=0)
    combine = worse.scoring.combine
    gains = combine(better.statistics.sum(axis=0) - change) - combine(worse.statistics.sum(axis=0) + change)
    exchanged = np.isin(np.arange(worse.num_rows), order[: int(np.argmax(gains <= gain)) + 1])[:, None]
    first = np.where(exchanged, better.statistics, worse.statistics)
    second = np.where(exchanged, worse.statistics, better.statistics)
    return replace(worse, statistics=first), replace(better, statistics=second)


def resample(pair: Pair, num_rows: int, num_trials: int, seed: int) -> Iterator[Pair]:
    """Test sets drawn with replacement from a pair's rows, which stand for all rows that there are.

    Args:
        pair: a champion and a challenger.
        num_rows: number of rows of each test set.
        num_trials: number of test sets.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    for _ in range(num_trials):
        rows = rng.integers(pair[0].num_rows, size=num_rows)
        yield pair[0].part(rows), pair[1].part(rows)


def count_promotions(policy: Policy, pairs: Iterator[Pair], look: int) -> int:
    """The number of promoted challengers.

    Args:
        policy: the policy.
        pairs: a champion and a challenger each.
        look: the number of each comparison on its test set.
    """
    return sum(decide(policy, challenger, champion, look).promotes for champion, challenger in pairs)


def live(num_retrains: int, seed: int) -> Life:
    """The life of a test set: retrains of one true quality, each compared with the champion of the day.

    Args:
        num_retrains: number of retrains.
        seed: of the rows' difficulty and of the outputs.
    """
    rng = np.random.default_rng(seed)
    chances = draw_difficulties(rng)
    right = rng.random((num_retrains + 1, NUM_ROWS)) < chances
    champion, promotions = right_or_wrong(right[0]), 0
    for look, outputs in enumerate(right[1:], start=1):
        challenger = right_or_wrong(outputs)
        if decide(EXACT_MATCH, challenger, champion, look).promotes:
            champion, promotions = challenger, promotions + 1
    scores = right.mean(axis=1)
    highest = np.maximum.accumulate(scores)
    return Life(promotions, int((highest[1:] > highest[:-1]).sum()), float(highest[-1] - chances.mean()))
