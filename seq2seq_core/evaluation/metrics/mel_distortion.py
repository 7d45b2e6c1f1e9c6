"""Mel-cepstral distortion of synthesised speech that nobody reads back: an answer is then its distortion, a number in decibels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from seq2seq_core.evaluation.metric import Metric, ScoringOptions
from seq2seq_core.evaluation.row_scoring import mean_scoring

NO_SPEECH = 30.0
"""What an answer that is no number counts as, in decibels: more than recordings of different words differ by."""


def _row(hypothesis: str, reference: str, options: ScoringOptions) -> float:
    if hypothesis == reference:  # the real recording itself
        return 0.0
    try:
        distortion = float(hypothesis)
    except ValueError:
        return NO_SPEECH
    return min(distortion, NO_SPEECH) if math.isfinite(distortion) and distortion >= 0.0 else NO_SPEECH


def _compute(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> float:
    return sum(map(lambda one, other: _row(one, other, options), hypotheses, references)) / len(references)


METRIC = Metric(
    "mel_distortion",
    higher_is_better=False,
    scale=NO_SPEECH,
    high=NO_SPEECH,
    compute=_compute,
    rows=mean_scoring(_row, usual_deviation=1.0, row_range=(0.0, NO_SPEECH)),
)
