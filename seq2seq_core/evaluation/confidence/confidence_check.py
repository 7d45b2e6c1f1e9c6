"""How far the confidences of a bundle can be trusted on test: error of calibration, reliability, promised errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seq2seq_core.bundle.stored_calibrator import StoredCalibrator
from seq2seq_core.evaluation.confidence.calibration_error import (
    CalibrationError,
    ConfidenceBin,
    find_calibration_error,
    make_bins,
)
from seq2seq_core.evaluation.confidence.promised_errors import KeptPromise, check_promise
from seq2seq_core.evaluation.confidence.right_answers import find_right
from seq2seq_core.evaluation.roc_area import roc_area

DIGITS, CONFIDENCE_DIGITS = 6, 4
"""Decimal places; confidences get fewer, because their last digits differ between machines."""


@dataclass(frozen=True)
class ConfidenceCheck:
    """The confidences of a bundle on test, which had no part in the calibration.

    Attributes:
        calibrator: of the bundle, fitted on dev.
        rows: the answers with a confidence.
        right: the share of right ones.
        mean: the mean confidence.
        ranking: the area under the ROC curve: the chance that a right answer has a higher confidence than a wrong one; None
            without both kinds.
        error: the expected calibration error.
        bins: confidence and share of right answers, by bins of equal mass.
        promises: the thresholds that dev chose, with the errors on test.
    """

    calibrator: StoredCalibrator
    rows: int
    right: float
    mean: float
    ranking: float | None
    error: CalibrationError
    bins: list[ConfidenceBin]
    promises: list[KeptPromise]

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object: what the calibrator was fitted on, and what test shows."""
        fitted = self.calibrator.model_dump(mode="json", exclude={"promises", "intercept", "weights"})
        promises = [
            {"max_error": one.promise.max_error, "min_confidence": one.promise.min_confidence}
            | {"dev_answered": one.promise.answered, "dev_error": one.promise.error}
            | {"answered": one.answered, "error": one.error, "low": one.low, "high": one.high, "is_kept": one.is_kept}
            for one in self.promises
        ]
        shares = {"rows": self.rows, "right": self.right, "mean_confidence": self.mean, "ranking": self.ranking}
        found = {"calibration_error": asdict(self.error), "bins": [asdict(one) for one in self.bins], "promises": promises}
        rounded: dict[str, Any] = {"dev": fitted} | _rounded(shares | found)
        return rounded


def check_confidences(
    confidences: Sequence[float | None], hypotheses: Sequence[str], references: Sequence[str], calibrator: StoredCalibrator
) -> ConfidenceCheck | None:
    """The confidences of answers beside the truth; None where no answer has one.

    Args:
        confidences: one for each answer; None: it has none.
        hypotheses: the answers.
        references: one for each.
        calibrator: made the confidences.
    """
    places = [place for place, confidence in enumerate(confidences) if confidence is not None]
    if not places:
        return None
    confidences_N = np.array([confidences[place] for place in places], dtype=np.float64).round(CONFIDENCE_DIGITS)
    texts, targets = ([side[place] for place in places] for side in (hypotheses, references))
    right_N = find_right(texts, targets, calibrator.event, calibrator.min_chrf)
    return ConfidenceCheck(
        calibrator=calibrator,
        rows=len(places),
        right=float(right_N.mean()),
        mean=float(confidences_N.mean()),
        ranking=roc_area(confidences_N, right_N),
        error=find_calibration_error(confidences_N, right_N),
        bins=make_bins(confidences_N, right_N),
        promises=[check_promise(one, confidences_N, right_N) for one in calibrator.promises],
    )


def _rounded(value: Any) -> Any:
    """The numbers of a JSON value without the digits that differ between machines."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, DIGITS) if isinstance(value, float) else value
