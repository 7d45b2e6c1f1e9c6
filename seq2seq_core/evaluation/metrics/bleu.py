"""BLEU (Papineni 2002) by sacreBLEU, from 0 to 100."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.row_scoring import FloatArray
from seq2seq_core.evaluation.sacrebleu_metric import sacrebleu_metric
from seq2seq_core.evaluation.several_references import references_in

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU


def _make(options: ScoringOptions) -> BLEU:
    from sacrebleu.metrics.bleu import BLEU

    # force: no warning about tokenised test sets; ours may be tokenised on purpose.
    return BLEU(tokenize=options.bleu_tokenizer, force=True)


@cache
def _smoothed(tokenizer: str) -> BLEU:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize=tokenizer, smooth_method="add-k", smooth_value=1, effective_order=True)


def _score_sentence(hypothesis: str, reference: str, options: ScoringOptions) -> float:
    """Smoothed BLEU up to the longest n-gram that exists; counts of n-grams longer than a word get 1 added (Lin and Och 2004)."""
    return float(_smoothed(options.bleu_tokenizer).sentence_score(hypothesis, list(references_in(reference))).score)


def _combine(sums: FloatArray) -> FloatArray:
    """BLEU with exponential smoothing of orders without a match (Chen and Cherry 2014, method 3), as sacreBLEU's default."""
    hypothesis_length, reference_length = sums[..., 0], sums[..., 1]
    correct, total = sums[..., 2:6], sums[..., 6:10]
    halvings = np.where(correct == 0, 2.0 ** np.cumsum(correct == 0, axis=-1), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_precisions = np.log(100.0 * np.where(correct == 0, 1.0, correct) / (halvings * total))
        penalty = np.exp(np.minimum(0.0, 1.0 - reference_length / hypothesis_length))
        scores = penalty * np.exp(log_precisions.sum(axis=-1) / 4)
    return np.where(correct.any(axis=-1) & (total > 0).all(axis=-1), scores, 0.0)


METRIC = sacrebleu_metric("bleu", _make, _combine, usual_deviation=15.0, sentence_score=_score_sentence)
