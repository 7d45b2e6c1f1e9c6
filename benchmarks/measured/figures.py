"""Scores on a test set with their intervals, and tests of whether one system beats another.

Every interval is at 95 %: Wilson's (1927) for shares of sentences, else the bootstrap over sentences (Efron 1979; for BLEU Koehn
2004). An interval shows how much the score depends on these test sentences, not on the seed of the training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest, Result

from seq2seq_core.evaluation.edit_distance import edit_distance

RESAMPLINGS, SEED = 2000, 12345


@dataclass(frozen=True)
class Figure:
    """A score of a test set.

    Attributes:
        value: the score.
        low: lower end of the interval.
        high: upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """The comparison of two systems on the same test set.

    Attributes:
        difference: the second system's score minus the first's.
        p_value: two-sided p-value of the difference.
        low: lower end of the difference's interval; None where it is unknown.
        high: upper end of the difference's interval; None where it is unknown.
    """

    difference: float
    p_value: float
    low: float | None = None
    high: float | None = None


def share(successes: Sequence[bool]) -> Figure:
    """The share of successes, in percent.

    Args:
        successes: one value per sentence.
    """
    found = scipy.stats.binomtest(sum(successes), len(successes))
    interval = found.proportion_ci(method="wilson")
    return Figure(100 * found.statistic, 100 * interval.low, 100 * interval.high)


def exact(hypotheses: Sequence[str], references: Sequence[str]) -> list[bool]:
    """Whether each hypothesis equals its reference."""
    return [hypothesis == reference for hypothesis, reference in zip(hypotheses, references, strict=True)]


def bleu(hypotheses: Sequence[str], references: Sequence[str], tokenizer: str) -> Figure:
    """BLEU with its bootstrap interval, both by sacreBLEU.

    Args:
        hypotheses: the hypothesis of each sentence.
        references: the reference of each sentence.
        tokenizer: sacreBLEU's ``--tokenize``.
    """
    found = BLEU(tokenize=tokenizer, force=True).corpus_score(hypotheses, [references], n_bootstrap=RESAMPLINGS)
    return Figure(found.score, found.score - found._ci, found.score + found._ci)


def symbol_error_rate(hypotheses: Sequence[str], references: Sequence[str]) -> Figure:
    """Edits per reference symbol, in percent; symbols are separated by spaces.

    Args:
        hypotheses: the hypothesis of each sentence.
        references: the reference of each sentence.
    """
    edits, lengths = symbol_edits(hypotheses, references)
    interval = scipy.stats.bootstrap(
        (edits, lengths), lambda edits, lengths, axis: edits.sum(axis) / lengths.sum(axis),
        paired=True, vectorized=True, n_resamples=RESAMPLINGS, method="percentile", rng=np.random.default_rng(SEED),
    ).confidence_interval  # fmt: skip
    return Figure(100 * edits.sum() / lengths.sum(), 100 * interval.low, 100 * interval.high)


def symbol_edits(hypotheses: Sequence[str], references: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The number of edits of each hypothesis, and of symbols of its reference.

    Args:
        hypotheses: the hypothesis of each sentence.
        references: the reference of each sentence.
    """
    pairs = [(hypothesis.split(), reference.split()) for hypothesis, reference in zip(hypotheses, references, strict=True)]
    edits = np.array([edit_distance(reference, hypothesis) for hypothesis, reference in pairs], dtype=np.float64)
    return edits, np.array([len(reference) for _, reference in pairs], dtype=np.float64)


def compare_means(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """Tests by the paired bootstrap whether two means differ.

    Args:
        first: the first system's figure for each sentence.
        second: the second system's figure for the same sentences.
    """
    differences = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    chance = np.random.default_rng(SEED)
    means = np.array([differences[chance.integers(0, len(differences), len(differences))].mean() for _ in range(RESAMPLINGS)])
    low, high = np.quantile(means, [0.025, 0.975])
    return Comparison(float(differences.mean()), _p_value(means, float(differences.mean())), float(low), float(high))


def compare_bleu(first: Sequence[str], second: Sequence[str], references: Sequence[str], tokenizer: str) -> Comparison:
    """Tests by sacreBLEU's paired bootstrap (Koehn 2004) whether the BLEU of two systems differs.

    Args:
        first: the first system's hypotheses.
        second: the second system's hypotheses.
        references: the references of both.
        tokenizer: sacreBLEU's ``--tokenize``.
    """
    return _paired_test(BLEU(tokenize=tokenizer, force=True), first, second, references)


def compare_chrf(first: Sequence[str], second: Sequence[str], references: Sequence[str]) -> Comparison:
    """Tests whether the chrF of two systems differs; see :func:`compare_bleu`."""
    return _paired_test(CHRF(), first, second, references)


def _paired_test(metric: Metric, first: Sequence[str], second: Sequence[str], references: Sequence[str]) -> Comparison:
    systems = [("first", first), ("second", second)]
    _, scores = PairedTest(systems, {"score": metric}, [references], test_type="bs", n_samples=RESAMPLINGS)()
    before, after = (found for column in scores.values() for found in column if isinstance(found, Result))
    assert after.p_value is not None
    return Comparison(after.score - before.score, after.p_value)


def _p_value(resampled: NDArray[np.float64], difference: float) -> float:
    """The share of resampled differences at least as far from their mean as the difference is from 0; never 0 (North 2002)."""
    extreme = int((np.abs(resampled - resampled.mean()) >= abs(difference)).sum())
    return (extreme + 1) / (len(resampled) + 1)
