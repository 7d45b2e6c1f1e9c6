"""What learning by reward adds to a trained model, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

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


def letters_gain(before: Outcome, after: Outcome) -> Gain:
    """In percent: the letters right in a name, which are rewarded, and names wholly right."""
    right = [[100.0 * one for one in exact(outcome.hypotheses, outcome.references)] for outcome in (before, after)]
    letters = [[100.0 * one for one in _symbol_accuracies(outcome)] for outcome in (before, after)]
    return Gain(compare_means(*letters), {"exact match": compare_means(*right)})


def translation_gain(before: Outcome, after: Outcome) -> Gain:
    """The BLEU of single sentences (add-one), which is rewarded, corpus BLEU and chrF."""
    references = before.references
    sentences = [
        [100 * sentence_reward("bleu", *pair) for pair in zip(one.hypotheses, references, strict=True)] for one in (before, after)
    ]
    corpus = (before.hypotheses, after.hypotheses, references)
    return Gain(compare_means(*sentences), {"BLEU": compare_bleu(*corpus, "none"), "chrF": compare_chrf(*corpus)})


def continue_training(system: System, phase: Mapping[str, Any]) -> tuple[System, System]:
    """The system with a phase by reward behind its own training, and with one of the same settings by likelihood.

    Args:
        system: trains in a single phase by likelihood.
        phase: as in ``train.phases``.
    """
    by_likelihood = {name: value for name, value in phase.items() if name != "reinforcement"} | {"objective": "likelihood"}
    phases = {"rewarded": dict(phase), "continued": by_likelihood}
    rewarded, continued = (
        replace(
            system, name=f"{system.name}-{name}", nbest=1, workspace=system.workspace or system.name,
            changes={**system.changes, "train.phases": [{"objective": "likelihood"}, one]},
        )
        for name, one in phases.items()
    )  # fmt: skip
    return rewarded, continued


def gain_row(name: str, title: str, systems: Sequence[System], unit: str, gain: Callable[[Outcome, Outcome], Gain]) -> Row:
    """A row about a gain.

    Args:
        name: see :class:`~benchmarks.measured.row.Row`.
        title: the same.
        systems: before, after, and after as many updates by likelihood alone.
        unit: of the rewarded metric.
        gain: from the first to the second of two.
    """

    def judge(outcomes: Outcomes) -> Judgement:
        before, after, continued = (outcomes[system.name] for system in systems)
        found = gain(before, after)
        rewarded = found.rewarded
        assert rewarded.low is not None
        assert rewarded.high is not None
        comparisons = {"rewarded": rewarded, **found.others}
        comparisons["rewarded, after as many updates by likelihood instead"] = gain(before, continued).rewarded
        comparisons["rewarded, beside as many updates by likelihood"] = gain(continued, after).rewarded
        details = [f"{key} {one.difference:+.3f} (p = {one.p_value:.4f})" for key, one in comparisons.items()]
        return Judgement(Figure(rewarded.difference, rewarded.low, rewarded.high), found.is_good, details)

    return Row(name, title, systems, unit, "–", "p < 0.05, no other metric falls", judge)
