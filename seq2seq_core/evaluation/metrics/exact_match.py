"""Exact match: the share of hypotheses that equal their reference, or one of several, code point by code point.

The literature on transliteration and on grapheme-to-phoneme conversion calls 1 minus it the word error rate.
"""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.evaluation.metric import Metric, ScoringOptions
from seq2seq_core.evaluation.row_scoring import mean_scoring
from seq2seq_core.evaluation.several_references import is_right


def _compute(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> float:
    return sum(map(is_right, hypotheses, references)) / len(references)


def _score_row(hypothesis: str, reference: str, options: ScoringOptions) -> float:
    return float(is_right(hypothesis, reference))


METRIC = Metric(
    "exact_match",
    higher_is_better=True,
    scale=1.0,
    high=1.0,
    compute=_compute,
    rows=mean_scoring(_score_row, usual_deviation=0.3, row_range=(0.0, 1.0)),
)
