"""Word error rate: edits of white-space-separated symbols (words, phones), divided by the symbols of all references.

It is the rate of wrong symbols. Where a target is one word spelt by symbols, as in pronunciation, the literature calls this the
phone error rate, and 1 minus exact match the word error rate; reports then show both under those names.
"""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.evaluation.error_rate import error_rate, error_rows
from seq2seq_core.evaluation.metric import Metric, ScoringOptions


def _compute(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> float:
    return error_rate((hypothesis.split(), reference.split()) for hypothesis, reference in zip(hypotheses, references, strict=True))


METRIC = Metric("wer", higher_is_better=False, scale=1.0, compute=_compute, rows=error_rows(str.split, usual_deviation=0.25))
