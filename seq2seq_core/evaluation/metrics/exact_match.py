"""Exact match: the share of hypotheses that equal their reference, code point by code point.

The literature on transliteration and on grapheme-to-phoneme conversion calls 1 minus it the word error rate.
"""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.evaluation.metric import Metric, ScoringOptions


def _compute(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> float:
    return sum(map(str.__eq__, hypotheses, references)) / len(references)


METRIC = Metric("exact_match", higher_is_better=True, scale=1.0, high=1.0, compute=_compute)
