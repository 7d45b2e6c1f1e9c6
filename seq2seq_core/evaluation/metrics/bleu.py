"""BLEU (Papineni 2002) by sacreBLEU, from 0 to 100."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.sacrebleu_metric import sacrebleu_metric

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
    return float(_smoothed(options.bleu_tokenizer).sentence_score(hypothesis, [reference]).score)


METRIC = sacrebleu_metric("bleu", _make, sentence_score=_score_sentence)
