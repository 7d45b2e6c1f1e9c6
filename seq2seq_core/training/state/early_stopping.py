"""Early stopping: which validation was the best one, and how long ago the dev metric got better."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from seq2seq_core.config.metric_names import LOSS, DevMetric
from seq2seq_core.evaluation.scores import is_higher_better


class EarlyStopping(BaseModel):
    """The best validation until now, and the validations without a better one; part of the training state.

    A validation with a better dev metric is the new best. One that equals the best metric with a lower dev loss is the new best
    too, but does not make up for a lack of progress: early stopping goes by the metric alone. What is better by too little is kept,
    and no progress; many such steps together are, once they are enough.
    """

    model_config = ConfigDict(extra="forbid")

    metric: DevMetric
    """What validations are compared by."""
    step: int = 0
    """The best validation's step; 0 before the first one."""
    loss: float | None = None
    """Its dev loss."""
    score: float | None = None
    """Its dev score, where one was decoded."""
    num_stale: int = 0
    """Validations since the metric last got better, by enough to count."""
    counted: float | None = None
    """The metric when it last did."""

    def observe(self, step: int, loss: float, score: float | None, min_improvement: float = 0.0) -> bool:
        """Takes a validation in; returns whether it is the new best.

        Args:
            step: the update after which it was made.
            loss: dev loss.
            score: dev score; needed unless the metric is the loss.
            min_improvement: how much better the metric has to be to count as progress.
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
