"""Translation edit rate (Snover 2006) by sacreBLEU: edits and shifts of phrases, in percent of the reference's words.

The search for shifts takes seconds for a few long segments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.sacrebleu_metric import sacrebleu_metric

if TYPE_CHECKING:
    from sacrebleu.metrics.ter import TER


def _make(options: ScoringOptions) -> TER:
    from sacrebleu.metrics.ter import TER

    return TER()


METRIC = sacrebleu_metric("ter", _make, higher_is_better=False, high=None, is_slow=True)
