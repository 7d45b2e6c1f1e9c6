"""Thresholds of the confidence that keep the share of wrong answers below a promised one, proved on dev.

A threshold is tested by the exact binomial tail, as in selective classification with guaranteed risk (Geifman and El-Yaniv 2017),
at a level that is shared among all thresholds (Bonferroni). So a promise holds with a probability of 95 % on sources like those of
dev, whichever threshold was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core.bundle.stored_calibrator import PromisedError

FloatArray = npt.NDArray[np.float64]
ERRORS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares of wrong answers that are promised, where dev proves them."""
THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
LEVEL, DIGITS, CONFIDENCE_DIGITS = 0.05, 6, 4


@dataclass(frozen=True)
class KeptPromise:
    """What became of a promise on test.

    Attributes:
        promise: made on dev.
        answered: the share of test that is answered.
        error: the share of wrong answers among these.
        low: the lower end of its 95 % interval (Clopper and Pearson 1934).
        high: the upper end.
    """

    promise: PromisedError
    answered: float
    error: float
    low: float
    high: float

    @property
    def is_kept(self) -> bool:
        """Whether the promised error is not below the interval of the error on test."""
        return self.low <= self.promise.max_error


def make_promises(confidences_N: FloatArray, right_N: npt.NDArray[np.bool_]) -> list[PromisedError]:
    """For each error that some threshold is proved to keep, the lowest such threshold; smallest error first.

    Args:
        confidences_N: of dev's answers.
        right_N: whether each is right.
    """
    from scipy.special import bdtr

    found, confidences_N = [], confidences_N.round(CONFIDENCE_DIGITS)
    for error in ERRORS:
        for threshold in THRESHOLDS:
            kept_N = confidences_N >= threshold
            count, wrong = int(kept_N.sum()), int((kept_N & ~right_N).sum())
            if count and bdtr(wrong, count, error) <= LEVEL / len(THRESHOLDS):
                shares = round(count / len(right_N), DIGITS), round(wrong / count, DIGITS)
                found.append(PromisedError(max_error=error, min_confidence=threshold, answered=shares[0], error=shares[1]))
                break
        if found and not found[-1].min_confidence:
            break  # every answer is given already: a larger error promises nothing more
    return found


def check_promise(promise: PromisedError, confidences_N: FloatArray, right_N: npt.NDArray[np.bool_]) -> KeptPromise:
    """A promise on other answers.

    Args:
        promise: made on dev.
        confidences_N: of test's answers.
        right_N: whether each is right.
    """
    from scipy.special import betaincinv

    kept_N = confidences_N >= promise.min_confidence
    count, wrong = int(kept_N.sum()), int((kept_N & ~right_N).sum())
    low = float(betaincinv(wrong, count - wrong + 1, 0.025)) if wrong else 0.0
    high = float(betaincinv(wrong + 1, count - wrong, 0.975)) if wrong < count else 1.0
    return KeptPromise(promise, count / len(right_N), wrong / count if count else 0.0, low, high)
