"""Error rates: edits per symbol of the reference, in characters or words."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np

from seq2seq_core.evaluation.edit_distance import edit_distance
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.row_scoring import FloatArray, RowScoring, ratio


def error_rate(pairs: Iterable[tuple[Sequence[Hashable], Sequence[Hashable]]]) -> float:
    """Edits over all pairs, divided by the symbols of all references; the plain edits if the references have no symbol.

    It is above 1 if hypotheses are much too long.

    Args:
        pairs: hypotheses with their references.
    """
    edits = symbols = 0
    for hypothesis, reference in pairs:
        edits += edit_distance(reference, hypothesis)
        symbols += len(reference)
    return edits / max(1, symbols)


def error_rows(symbols: Callable[[str], Sequence[Hashable]], usual_deviation: float) -> RowScoring:
    """The statistics of an error rate: the edits and the reference's symbols of each row.

    Args:
        symbols: the symbols of a text.
        usual_deviation: see :class:`~seq2seq_core.evaluation.row_scoring.RowScoring`.
    """

    def extract(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> FloatArray:
        pairs = ((symbols(hypothesis), symbols(reference)) for hypothesis, reference in zip(hypotheses, references, strict=True))
        return np.array(
            [(edit_distance(reference, hypothesis), len(reference)) for hypothesis, reference in pairs], dtype=np.float64
        )

    return RowScoring(extract, ratio(1.0), usual_deviation, is_ratio=True)
