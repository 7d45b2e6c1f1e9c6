"""What learning by reward adds to a trained model, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.measured.figures import Comparison, Figure, compare_bleu, compare_chrf, compare_means, exact, symbol_edits
from benchmarks.measured.row import SIGNIFICANT, Judgement, Outcomes, Row
from benchmarks.measured.systems import Outcome, System
from seq2seq_core.training.reward import sentence_reward


@dataclass(frozen=True)
class Gain:
    """What learning by reward gave, by the paired bootstrap over the test set.

    Attributes:
        rewarded: the change of the metric that was rewarded.
        others: of other metrics, by name; more is better in all of them.
    """

    rewarded: Comparison
    others: Mapping[str, Comparison]

    @property
    def is_good(self) -> bool:
        """Whether the rewarded metric rose significantly and no other fell significantly."""
        has_loss = any(other.difference < 0 and other.p_value < SIGNIFICANT for other in self.others.values())
        return self.rewarded.difference > 0 and self.rewarded.p_value < SIGNIFICANT and not has_loss


def _symbol_accuracies(outcome: Outcome) -> list[float]:
    """1 minus the symbol error rate of each sentence."""
    edits, lengths = symbol_edits(outcome.hypotheses, outcome.references)
    return list(1 - edits / np.maximum(lengths, 1))


def letters_gain(outcomes: Outcomes) -> Gain:
    """In percent: the letters right in a name, which are rewarded, and names wholly right."""
    before, after = outcomes.values()
    right = [[100.0 * one for one in exact(outcome.hypotheses, outcome.references)] for outcome in (before, after)]
    letters = [[100.0 * one for one in _symbol_accuracies(outcome)] for outcome in (before, after)]
    return Gain(compare_means(*letters), {"exact match": compare_means(*right)})


def translation_gain(outcomes: Outcomes) -> Gain:
    """The BLEU of single sentences (add-one), which is rewarded, corpus BLEU and chrF."""
    before, after = outcomes.values()
    references = before.references
    sentences = [
        [100 * sentence_reward("bleu", *pair) for pair in zip(one.hypotheses, references, strict=True)] for one in (before, after)
    ]
    corpus = (before.hypotheses, after.hypotheses, references)
    return Gain(compare_means(*sentences), {"BLEU": compare_bleu(*corpus, "none"), "chrF": compare_chrf(*corpus)})


def gain_row(name: str, title: str, systems: Sequence[System], unit: str, gain: Callable[[Outcomes], Gain]) -> Row:
    """A row about a gain.

    Args:
        name: see :class:`~benchmarks.measured.row.Row`.
        title: the same.
        systems: before and after.
        unit: of the rewarded metric.
        gain: compares them.
    """

    def judge(outcomes: Outcomes) -> Judgement:
        found = gain(outcomes)
        rewarded = found.rewarded
        assert rewarded.low is not None
        assert rewarded.high is not None
        comparisons = {"rewarded": rewarded, **found.others}
        details = [f"{key} {one.difference:+.3f} (p = {one.p_value:.4f})" for key, one in comparisons.items()]
        return Judgement(Figure(rewarded.difference, rewarded.low, rewarded.high), found.is_good, details)

    return Row(name, title, systems, unit, "–", "p < 0.05, no other metric falls", judge)
