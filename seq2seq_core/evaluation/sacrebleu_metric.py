"""sacreBLEU's metrics (Post 2018): scores and signatures. The package is imported late, by the metrics that use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq_core.evaluation.metric import Metric, ScoringOptions, SentenceScore
from seq2seq_core.evaluation.row_scoring import FloatArray, RowScoring
from seq2seq_core.evaluation.several_references import References, references_in
from seq2seq_core.imports.late_modules import load_late

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as LibraryMetric


load_late("portalocker")  # sacreBLEU locks its downloads with it; it loads a client of Redis, most of the time of the import


def sacrebleu_metric(
    name: str,
    make: Callable[[ScoringOptions], LibraryMetric],
    combine: Callable[[FloatArray], FloatArray],
    usual_deviation: float,
    higher_is_better: bool = True,
    high: float | None = 100.0,
    is_slow: bool = False,
    is_ratio: bool = False,
    sentence_score: SentenceScore | None = None,
) -> Metric:
    """A metric that sacreBLEU computes, on its scale of 0 to 100.

    Args:
        name: see :class:`~seq2seq_core.evaluation.metric.Metric`.
        make: sacreBLEU's object for some options.
        combine: see :class:`~seq2seq_core.evaluation.row_scoring.RowScoring`; of sacreBLEU's statistics.
        usual_deviation: see there.
        higher_is_better: see :class:`~seq2seq_core.evaluation.metric.Metric`.
        high: see there.
        is_slow: see there.
        is_ratio: see :class:`~seq2seq_core.evaluation.row_scoring.RowScoring`.
        sentence_score: see :class:`~seq2seq_core.evaluation.metric.Metric`.
    """

    def compute(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> float:
        return float(make(options).corpus_score(hypotheses, _streams(references)).score)

    def extract(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> FloatArray:
        # sacreBLEU's own tests of significance read the same method (sacrebleu/significance.py).
        return np.array(make(options)._extract_corpus_statistics(hypotheses, _streams(references)), dtype=np.float64)

    def signature(options: ScoringOptions) -> str:
        metric = make(options)
        references = [References("ab"), "a"] if options.has_several_references else ["a", "a"]
        metric.corpus_score(["a", "a"], _streams(references))  # a signature names the number of references, known after scoring
        return str(metric.get_signature())

    return Metric(
        name,
        higher_is_better,
        scale=100.0,
        high=high,
        compute=compute,
        signature=signature,
        is_slow=is_slow,
        sentence_score=sentence_score,
        rows=RowScoring(extract, combine, usual_deviation, is_ratio=is_ratio, library=make),
    )


def _streams(references: Sequence[str]) -> Any:
    """The references as sacreBLEU takes them: the first of each row, the second of each row, and so on; None: a row has no more."""
    return [list(texts) for texts in zip_longest(*map(references_in, references))] if references else [[]]
