"""Minimum-Bayes-risk decoding: of a source's samples, the one that is most like all the others (Eikema and Aziz 2020).

The mode of a model's distribution can be a poor text, often an empty one; a text similar to many probable texts is rarely poor. The
samples must represent the distribution, so it must not be cut off or sharpened much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from seq2seq_core.decoding.sentence_chrf import chrf

Utility = Callable[[str, str], float]
"""Utility of a hypothesis given a reference; higher is better."""


class Ranked(NamedTuple):
    """A candidate.

    Attributes:
        place: the position of its first sample.
        expected_utility: the mean of its utility against each sample.
    """

    place: int
    expected_utility: float


def rank_by_expected_utility(samples: Sequence[str], utility: Utility = chrf) -> list[Ranked]:
    """The distinct samples, highest expected utility first; ties in the order drawn.

    The expectation over the model's distribution is estimated by the samples themselves:
    u(h) = 1/S * sum over s of utility(h, sample_s), a sample's utility against itself included.

    Args:
        samples: texts drawn from the model, at least one; a repeated sample counts each time.
        utility: the utility of a hypothesis given a reference.
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
