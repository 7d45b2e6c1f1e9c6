"""Minimum-Bayes-risk decoding: of a source's samples, the one that is most like all the others (Eikema and Aziz 2020).

The mode of a model's distribution can be a poor text, an empty one above all; a text that agrees with much of what the model
thinks probable is rarely one. Where samples stand for the distribution they must not be cut off or sharpened much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from seq2seq_core.decoding.sentence_chrf import chrf

Utility = Callable[[str, str], float]
"""How good a hypothesis is where a reference is right; higher is better."""


class Ranked(NamedTuple):
    """A candidate.

    Attributes:
        place: where it first comes among the samples.
        expected_utility: the mean of its utility against each sample.
    """

    place: int
    expected_utility: float


def rank_by_expected_utility(samples: Sequence[str], utility: Utility = chrf) -> list[Ranked]:
    """The different samples by falling expected utility; among equals the one drawn first.

    The expectation over the model's distribution is estimated by the samples themselves:
    u(h) = 1/S * sum over s of utility(h, sample_s), a sample's utility against itself included.

    Args:
        samples: texts drawn from the model, at least one; one that came often counts as often.
        utility: of a hypothesis against a reference.
    """
    counts = Counter(samples)
    ranked = [
        Ranked(
            samples.index(candidate),
            sum(count * utility(candidate, sample) for sample, count in counts.items()) / len(samples),
        )
        for candidate in counts
    ]
    return sorted(ranked, key=lambda one: -one.expected_utility)
