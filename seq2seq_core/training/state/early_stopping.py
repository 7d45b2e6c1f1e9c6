"""Early stopping: the best validation, and the validations since the dev metric last improved."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from seq2seq_core.config.metric_names import LOSS, DevMetric
from seq2seq_core.evaluation.scores import is_higher_better


class EarlyStopping(BaseModel):
    """The best validation so far, and the validations without progress; part of the training state.

    A validation with a better dev metric is the new best. One with the same metric and a lower dev loss is the new best too, but is
    no progress: early stopping uses the metric alone. An improvement that is too small is the new best, but is no progress. Several
    small improvements are progress once their sum is large enough.
    """

    model_config = ConfigDict(extra="forbid")

    metric: DevMetric
    """The metric that compares validations."""
    step: int = 0
    """The best validation's step; 0 before the first one."""
    loss: float | None = None
    """Its dev loss."""
    score: float | None = None
    """Its dev score, where one was decoded."""
    num_stale: int = 0
    """Validations since the last progress."""
    counted: float | None = None
    """The metric at the last progress."""

    def observe(self, step: int, loss: float, score: float | None, min_improvement: float = 0.0) -> bool:
        """Adds a validation; returns whether it is the new best.

        Args:
            step: the update after which it was made.
            loss: dev loss.
            score: dev score; needed unless the metric is the loss.
            min_improvement: smallest improvement of the metric that counts as progress.
        """
        value, best = (loss, self.loss) if self.metric == LOSS else (score, self.score)
        assert value is not None
        sign = 1.0 if is_higher_better(self.metric) else -1.0
        is_better = best is None or sign * value > sign * best
        has_progress = self.counted is None or (is_better and sign * (value - self.counted) >= min_improvement)
        is_equal_with_lower_loss = value == best and self.loss is not None and loss < self.loss
        self.num_stale = 0 if has_progress else self.num_stale + 1
        self.counted = value if has_progress else self.counted
        if not is_better and not is_equal_with_lower_loss:
            return False
        self.step, self.loss, self.score = step, loss, score
        return True
