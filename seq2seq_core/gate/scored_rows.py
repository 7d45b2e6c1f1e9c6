"""A system's outputs as statistics of rows, whose sums give its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from seq2seq_core.evaluation.metric import DEFAULT_OPTIONS, Metric, ScoringOptions
from seq2seq_core.evaluation.row_scoring import FloatArray, RowScoring, mean_scoring
from seq2seq_core.evaluation.scores import find_metric

TOLERANCE = 1e-9
"""Relative tolerance between the score of the rows and the metric's own."""
RIGHT_OR_WRONG = (0.0, 1.0)
"""The range of a row's score, where it is right or wrong."""
USUAL_SHARE = 0.3
"""``usual_deviation`` of a metric that declares none, as a share of its scale."""
STEP = 1e-4
"""Relative step of the numerical derivative."""


@dataclass(frozen=True)
class ScoredRows:
    """A system on a test set.

    Attributes:
        metric: the metric.
        scoring: its statistics.
        statistics: of each row, of shape (N, D).
    """

    metric: Metric
    scoring: RowScoring
    statistics: FloatArray

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return len(self.statistics)

    @property
    def score(self) -> float:
        """The corpus score of the rows."""
        return float(self.scoring.combine(self.statistics.sum(axis=0)))

    @property
    def direction(self) -> float:
        """1 if a higher score is better, else -1."""
        return 1.0 if self.metric.higher_is_better else -1.0

    @property
    def is_binary(self) -> bool:
        """Whether each row is right or wrong, and the score is the share of right rows."""
        return self.scoring.row_range == RIGHT_OR_WRONG and bool(np.isin(self.statistics[:, 0], (0.0, 1.0)).all())

    def part(self, rows: npt.NDArray[Any]) -> ScoredRows:
        """The system on some of the rows.

        Args:
            rows: their numbers (each as often as it is to count), or a mask of shape (N,).
        """
        return replace(self, statistics=self.statistics[rows])

    def influence(self) -> FloatArray:
        """What each row adds to the score, to the first order, of shape (N,); sums to 0 (Efron and Tibshirani 1993, ch. 21)."""
        return self.statistics @ gradient(self.scoring, self.statistics.sum(axis=0))


def gradient(scoring: RowScoring, sums: FloatArray) -> FloatArray:
    """The derivative of the score by each sum, of shape (D,); 0 for a sum of 0, to which no row adds anything.

    Args:
        scoring: the statistics of a metric.
        sums: of shape (D,).
    """
    steps = np.diag(STEP * sums)
    difference = scoring.combine(sums + steps) - scoring.combine(sums - steps)
    return np.divide(difference, 2 * STEP * sums, out=np.zeros_like(sums), where=sums != 0)


def score_rows(
    metric: str, hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions = DEFAULT_OPTIONS
) -> ScoredRows:
    """A system's outputs as statistics of rows.

    Args:
        metric: the metric's name.
        hypotheses: the system's outputs; at least one.
        references: one for each hypothesis.
        options: settings that metrics read.

    Raises:
        ValueError: no hypothesis, another number of references, an unknown metric, or a metric whose score cannot be computed from
            its rows.
        UserError: the metric's package is not installed.
    """
    if len(hypotheses) != len(references) or not hypotheses:
        raise ValueError(f"expected at least one hypothesis and as many references, got {len(hypotheses)} and {len(references)}")
    found = find_metric(metric)
    found.check_installed()
    if found.rows is not None:
        return ScoredRows(found, found.rows, found.rows.extract(hypotheses, references, options))
    scoring = mean_scoring(lambda row, reference, own: found.compute([row], [reference], own), USUAL_SHARE * found.scale)
    rows = ScoredRows(found, scoring, scoring.extract(hypotheses, references, options))
    expected = found.compute(hypotheses, references, options)
    if not np.isclose(rows.score, expected, rtol=TOLERANCE, atol=TOLERANCE):
        raise ValueError(
            f"{metric}: the mean of its rows is {rows.score:.9g}, the score {expected:.9g}; a metric that is no mean of its rows "
            "declares `rows` (evaluation/row_scoring.py)"
        )
    return rows
