"""chrF2 (Popović 2016) by sacreBLEU, from 0 to 100."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq_core.decoding.sentence_chrf import chrf
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.sacrebleu_metric import sacrebleu_metric

if TYPE_CHECKING:
    from sacrebleu.metrics.chrf import CHRF


def _make(options: ScoringOptions) -> CHRF:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


def _score_sentence(hypothesis: str, reference: str, options: ScoringOptions) -> float:
    return chrf(hypothesis, reference)


METRIC = sacrebleu_metric("chrf", _make, sentence_score=_score_sentence)
