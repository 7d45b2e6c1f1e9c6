"""ROUGE for summaries (Lin 2004), by the reference implementation in Python, the package rouge-score.

Its own tokeniser drops every letter but a to z. Here a token is a run of letters, marks and digits of any script, in lower case,
and each character of a script that is written without spaces; on English in ASCII that is the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from seq2seq_core.evaluation.metric import Metric, ScoringOptions
from seq2seq_core.evaluation.row_scoring import mean_scoring
from seq2seq_core.evaluation.several_references import references_in
from seq2seq_core.unspaced_scripts import UNSPACED_CHARACTERS

PACKAGE = "rouge-score"
_TOKEN = re.compile(f"[{UNSPACED_CHARACTERS}]|(?:(?![{UNSPACED_CHARACTERS}_])\\w[\u0300-\u036f\u0900-\u0dff\u200c\u200d]*)+")
"""Marks that ``\\w`` leaves out (separate accents, Indic vowel signs, joiners) belong to the letter before them."""


def tokenize(text: str) -> list[str]:
    """The tokens that ROUGE counts: words in lower case, and single characters of scripts without spaces."""
    return _TOKEN.findall(text.lower())


def rouge_metric(name: str) -> Metric:
    """ROUGE's F1, averaged over the pairs, from 0 to 100; of several references the best counts (Lin 2004, section 2).

    Args:
        name: ``rouge1`` or ``rouge2`` (n-grams), or ``rougeL`` (the longest common subsequence).
    """

    def compute(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> float:
        scorer = _scorer(name)
        pairs = zip(hypotheses, references, strict=True)
        scores = [float(scorer.score_multi(references_in(two), one)[name].fmeasure) for one, two in pairs]
        return 100.0 * sum(scores) / len(scores)

    def score_row(hypothesis: str, reference: str, options: ScoringOptions) -> float:
        return compute([hypothesis], [reference], options)

    return Metric(
        name,
        higher_is_better=True,
        scale=100.0,
        high=100.0,
        compute=compute,
        needs=PACKAGE,
        signature=_signature,
        rows=mean_scoring(score_row, usual_deviation=13.0, row_range=(0.0, 100.0)),
    )


def _signature(options: ScoringOptions) -> str:
    return f"{PACKAGE}:{version(PACKAGE)}|F1|case:lc|stem:no|tok:unicode"


class _Tokenizer:
    """A tokeniser with the interface of rouge-score."""

    def tokenize(self, text: str) -> list[str]:
        return tokenize(text)


@cache
def _scorer(metric: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # late: it takes a second or two to import

    return RougeScorer([metric], tokenizer=_Tokenizer())
