"""ROUGE for summaries (Lin 2004), by the reference implementation in Python, the package rouge-score.

Its own tokeniser drops every letter but a to z. Here a token is a run of letters, marks and digits of any script, in lower case,
and each character of a script that is written without spaces; on English in ASCII that is the same.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from seq2seq_core.errors import UserError

ROUGE = ("rouge1", "rouge2", "rougeL")
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
"""Thai, Lao, Burmese, Khmer, Kana and Han."""
_TOKEN = re.compile(f"[{_UNSPACED}]|(?:(?![{_UNSPACED}_])\\w[\u0300-\u036f\u0900-\u0dff\u200c\u200d]*)+")
"""Marks that ``\\w`` leaves out (accents apart from their letter, Indic vowel signs, joiners) belong to what they follow."""


def check_rouge(metrics: Sequence[str]) -> None:
    """Refuses ROUGE where its package is not installed.

    Args:
        metrics: those that are wanted.

    Raises:
        UserError: ROUGE is among them and cannot be computed.
    """
    wanted = [metric for metric in metrics if metric in ROUGE]
    if wanted and importlib.util.find_spec("rouge_score") is None:
        raise UserError(f"{wanted[0]}: needs the package rouge-score, which is not installed; run: pip install rouge-score")


def tokenize(text: str) -> list[str]:
    """The tokens that ROUGE counts: words in lower case, and single characters of scripts without spaces."""
    return _TOKEN.findall(text.lower())


def rouge_score(metric: str, hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """The mean over the pairs of ROUGE's F1, from 0 to 100.

    Args:
        metric: ``rouge1`` or ``rouge2`` (n-grams), or ``rougeL`` (the longest common subsequence).
        hypotheses: texts, at least one.
        references: one for each.
    """
    scorer = _scorer(metric)
    pairs = zip(hypotheses, references, strict=True)
    scores = [float(scorer.score(reference, hypothesis)[metric].fmeasure) for hypothesis, reference in pairs]
    return 100.0 * sum(scores) / len(scores)


def rouge_signature() -> str:
    """What must be stated with a score."""
    return f"rouge-score:{version('rouge-score')}|F1|case:lc|stem:no|tok:unicode"


class _Tokenizer:
    """As rouge-score wants it."""

    def tokenize(self, text: str) -> list[str]:
        return tokenize(text)


@cache
def _scorer(metric: str) -> Any:
    check_rouge([metric])
    from rouge_score.rouge_scorer import RougeScorer  # late: it takes a second or two to import

    return RougeScorer([metric], tokenizer=_Tokenizer())
