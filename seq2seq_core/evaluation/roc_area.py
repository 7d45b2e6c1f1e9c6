"""How well a number tells right answers from wrong ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def roc_area(values_N: npt.NDArray[np.float64], right_N: npt.NDArray[np.bool_]) -> float | None:
    """The area under the ROC curve: the chance that a right answer has a higher value than a wrong one, ties half.

    Args:
        values_N: of the answers, such as their confidence.
        right_N: whether each is right.

    Returns:
        From 0 to 1; 0.5 is what a coin tells. None without both kinds of answers.
    """
    positive, negative = np.sort(values_N[right_N]), np.sort(values_N[~right_N])
    if not len(positive) or not len(negative):
        return None
    below, upto = np.searchsorted(negative, positive, "left"), np.searchsorted(negative, positive, "right")
    return float((below + upto).sum() / (2 * len(positive) * len(negative)))
