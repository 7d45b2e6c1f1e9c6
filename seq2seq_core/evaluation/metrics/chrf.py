"""chrF2 (Popović 2016) by sacreBLEU, from 0 to 100."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seq2seq_core.decoding.sentence_chrf import chrf
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.row_scoring import FloatArray
from seq2seq_core.evaluation.sacrebleu_metric import sacrebleu_metric
from seq2seq_core.evaluation.several_references import references_in

if TYPE_CHECKING:
    from sacrebleu.metrics.chrf import CHRF


def _make(options: ScoringOptions) -> CHRF:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


def _score_sentence(hypothesis: str, reference: str, options: ScoringOptions) -> float:
    return max(chrf(hypothesis, one) for one in references_in(reference))


def _combine(sums: FloatArray) -> FloatArray:
    """F2 of the mean precision and recall of the orders that both sides have."""
    hypothesis, reference, match = (sums[..., start::3] for start in range(3))
    counts = (hypothesis > 0) & (reference > 0)
    orders = np.maximum(1, counts.sum(axis=-1))
    precision, recall = (
        (np.where(counts, match, 0.0) / np.where(counts, side, 1.0)).sum(axis=-1) / orders for side in (hypothesis, reference)
    )
    return np.asarray(100.0 * 5.0 * precision * recall / np.where(match.any(axis=-1), 4.0 * precision + recall, 1.0))


METRIC = sacrebleu_metric("chrf", _make, _combine, usual_deviation=11.0, sentence_score=_score_sentence)
