"""Translation edit rate (Snover 2006) by sacreBLEU: edits and shifts of phrases, in percent of the reference's words.

The search for shifts takes seconds for a few long segments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.row_scoring import FloatArray
from seq2seq_core.evaluation.sacrebleu_metric import sacrebleu_metric

if TYPE_CHECKING:
    from sacrebleu.metrics.ter import TER


def _make(options: ScoringOptions) -> TER:
    from sacrebleu.metrics.ter import TER

    return TER()


def _combine(sums: FloatArray) -> FloatArray:
    edits, words = sums[..., 0], sums[..., 1]
    return 100.0 * np.where(words > 0, edits / np.where(words > 0, words, 1.0), np.minimum(1.0, edits))


METRIC = sacrebleu_metric(
    "ter", _make, _combine, usual_deviation=22.0, higher_is_better=False, high=None, is_slow=True, is_ratio=True
)
