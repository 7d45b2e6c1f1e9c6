"""Logistic regression for calibration (Platt 1999).

A fit of a library would do, but for two things: the targets are Platt's, which are no classes, and the same corpus must give the
same numbers on every machine, so nothing here depends on a random start or a solver's version.
Shapes: N rows, F features.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
RIDGE = 1.0
"""Penalty on the squared weights of standardised features: a prior of standard deviation 1, weak beside hundreds of rows."""
SMALLEST_SPREAD = 1e-9
"""A feature of a smaller standard deviation is constant, and gets no weight."""
SMALLEST_WEIGHT = 1e-6
"""A smaller weight of a standardised feature moves no confidence, and becomes 0: what is left of it is the solver's rounding."""
STEPS, SMALLEST_STEP = 50, 1e-12
"""Of Newton's method, which needs about ten steps."""


def fit_logistic(features_NF: FloatArray, right_N: npt.NDArray[np.bool_]) -> tuple[float, FloatArray]:
    """The intercept and the weights, of shape (F,), of a logistic regression.

    The targets are smoothed as by Platt (1999, equation 9), so that rows that are all right give no certainty.

    Args:
        features_NF: finite numbers; at least one row.
        right_N: whether the event occurred.
    """
    num_right = float(right_N.sum())
    num_wrong = len(right_N) - num_right
    targets_N = np.where(right_N, (num_right + 1) / (num_right + 2), 1 / (num_wrong + 2))
    mean_F, spread_F = features_NF.mean(axis=0), features_NF.std(axis=0)
    is_constant_F = spread_F < SMALLEST_SPREAD
    spread_F = np.where(is_constant_F, 1.0, spread_F)
    rows = np.column_stack([np.ones(len(right_N)), (features_NF - mean_F) / spread_F])
    ridge = np.diag([0.0, *[RIDGE] * len(mean_F)])
    weights = np.zeros(rows.shape[1])
    weights[0] = np.log(targets_N.mean() / (1 - targets_N.mean()))
    for _ in range(STEPS):
        probabilities_N = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        gradient = rows.T @ (probabilities_N - targets_N) + ridge @ weights
        curvature = (rows * np.maximum(probabilities_N * (1 - probabilities_N), 1e-9)[:, None]).T @ rows + ridge
        step = np.linalg.solve(curvature, gradient)
        while np.abs(step).max() > SMALLEST_STEP and _loss(rows, targets_N, weights - step) > _loss(rows, targets_N, weights):
            step = step / 2  # far from the minimum the loss is not quadratic, and a whole step can leap over it
        weights = weights - step
    weights_F = np.where(is_constant_F | (np.abs(weights[1:]) < SMALLEST_WEIGHT), 0.0, weights[1:] / spread_F)
    return float(weights[0] - weights_F @ mean_F), weights_F


def _loss(rows: FloatArray, targets_N: FloatArray, weights: FloatArray) -> float:
    """The cross-entropy with the penalty, which the weights minimise; the first column of the rows is 1."""
    log_odds_N = rows @ weights
    return float((np.logaddexp(0.0, log_odds_N) - targets_N * log_odds_N).sum() + 0.5 * RIDGE * (weights[1:] ** 2).sum())
