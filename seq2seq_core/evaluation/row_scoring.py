"""Corpus scores from statistics of rows: whoever has the sums of some rows has their score, without their texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from seq2seq_core.evaluation.metric import ScoringOptions

FloatArray = npt.NDArray[np.float64]
"""Shapes: N rows, D statistics of a row."""


@dataclass(frozen=True)
class RowScoring:
    """The sufficient statistics of a metric.

    Attributes:
        extract: the statistics of hypotheses against their references, of shape (N, D).
        combine: the score of the sums of any rows' statistics: (..., D) becomes (...).
        usual_deviation: the standard deviation of the gain of one row between two trainings of one model, in the metric's unit: an
            assumption for as long as no outputs of two models are known.
        is_ratio: whether the score is the first statistic's sum by the second's, up to a factor.
        row_range: the lowest and highest score of a row, where the corpus score is the mean of the rows' scores; else None.
        library: sacreBLEU's object for some options; None: not sacreBLEU's metric.
    """

    extract: Callable[[Sequence[str], Sequence[str], ScoringOptions], FloatArray]
    combine: Callable[[FloatArray], FloatArray]
    usual_deviation: float
    is_ratio: bool = False
    row_range: tuple[float, float] | None = None
    library: Callable[[ScoringOptions], Any] | None = None


def ratio(scale: float) -> Callable[[FloatArray], FloatArray]:
    """The score of metrics that divide a sum (of edits, of right rows) by another (of symbols, of rows), at least 1.

    Args:
        scale: 1 for fractions, 100 for percentages.
    """

    def combine(sums: FloatArray) -> FloatArray:
        return np.asarray(scale * sums[..., 0] / np.maximum(1.0, sums[..., 1]))

    return combine


def mean_scoring(
    score_row: Callable[[str, str, ScoringOptions], float], usual_deviation: float, row_range: tuple[float, float] | None = None
) -> RowScoring:
    """The statistics of a metric whose corpus score is the mean of the rows' scores.

    Args:
        score_row: the score of a hypothesis against its reference.
        usual_deviation: see :class:`RowScoring`.
        row_range: see there.
    """

    def extract(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> FloatArray:
        pairs = zip(hypotheses, references, strict=True)
        return np.array([(score_row(hypothesis, reference, options), 1.0) for hypothesis, reference in pairs])

    return RowScoring(extract, ratio(1.0), usual_deviation, is_ratio=True, row_range=row_range)
