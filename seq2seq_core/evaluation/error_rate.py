"""Error rates: edits per symbol of the reference, in characters or words."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from seq2seq_core.evaluation.edit_distance import edit_distance
from seq2seq_core.evaluation.metric import Metric, ScoringOptions
from seq2seq_core.evaluation.row_scoring import FloatArray, RowScoring, ratio
from seq2seq_core.evaluation.several_references import references_in

Symbols = Callable[[str], Sequence[Hashable]]
"""The symbols of a text."""


def count_errors(hypothesis: str, reference: str, symbols: Symbols) -> tuple[int, int]:
    """The edits of a hypothesis, and the symbols of its reference.

    Of several references the one with the fewest edits counts (Niessen 2000), the first among equals.

    Args:
        hypothesis: a text.
        reference: the target of its row.
        symbols: what is counted.
    """
    ours = symbols(hypothesis)
    counts = [(edit_distance(theirs, ours), len(theirs)) for theirs in map(symbols, references_in(reference))]
    return min(counts, key=lambda one: one[0])


def nearest_reference(hypothesis: str, reference: str) -> str:
    """The reference of a row with the fewest edits, in characters; the first among equals.

    Args:
        hypothesis: a text.
        reference: the target of its row.
    """
    texts = references_in(reference)
    return texts[0] if len(texts) == 1 else min(texts, key=lambda one: edit_distance(one, hypothesis))


def error_rate_metric(name: str, symbols: Symbols, usual_deviation: float) -> Metric:
    """Edits over all rows, divided by the symbols of all references; the plain edits if the references have no symbol.

    It is above 1 if hypotheses are much too long.

    Args:
        name: see :class:`~seq2seq_core.evaluation.metric.Metric`.
        symbols: what is counted.
        usual_deviation: see :class:`~seq2seq_core.evaluation.row_scoring.RowScoring`.
    """

    def extract(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> FloatArray:
        pairs = zip(hypotheses, references, strict=True)
        return np.array([count_errors(hypothesis, reference, symbols) for hypothesis, reference in pairs], dtype=np.float64)

    def compute(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> float:
        edits, all_symbols = extract(hypotheses, references, options).sum(axis=0)
        return float(edits / max(1.0, all_symbols))

    return Metric(
        name,
        higher_is_better=False,
        scale=1.0,
        compute=compute,
        rows=RowScoring(extract, ratio(1.0), usual_deviation, is_ratio=True),
    )
