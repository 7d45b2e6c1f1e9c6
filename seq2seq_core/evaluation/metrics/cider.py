"""CIDEr-D (Vedantam 2015) by pycocoevalcap, from 0 to 10: the agreement with what people wrote, rare runs of words counting more.

Runs of up to four words are weighed by how few rows of the test set have them, so a score is of all rows together, and the score
of a part is that part's own. Tokens are those of ROUGE here, not the Penn Treebank's, whose
tokeniser needs Java: scores of English captions can differ a little from published ones, which are often multiplied by 10 besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from seq2seq_core.evaluation.metric import Metric, ScoringOptions
from seq2seq_core.evaluation.rouge import tokenize
from seq2seq_core.evaluation.row_scoring import FloatArray, RowScoring, ratio
from seq2seq_core.evaluation.several_references import references_in

PACKAGE = "pycocoevalcap"


def _extract(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> FloatArray:
    from pycocoevalcap.cider.cider_scorer import CiderScorer  # late: an extra package

    scorer = CiderScorer()
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        scorer += (_spaced(hypothesis), [_spaced(one) for one in references_in(reference)])
    scorer.compute_doc_freq()
    return np.array([(score, 1.0) for score in scorer.compute_cider()])


def _spaced(text: str) -> str:
    return " ".join(tokenize(text))


def _compute(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> float:
    return float(_extract(hypotheses, references, options)[:, 0].mean())


def _signature(options: ScoringOptions) -> str:
    return f"{PACKAGE}:{version(PACKAGE)}|CIDEr-D|n:4|case:lc|tok:unicode|df:scored"


METRIC = Metric(
    "cider",
    higher_is_better=True,
    scale=10.0,
    high=10.0,
    compute=_compute,
    needs=PACKAGE,
    signature=_signature,
    is_slow=True,
    weighs_rows=True,
    rows=RowScoring(_extract, ratio(1.0), usual_deviation=1.0, is_ratio=True),
)
