"""Early stopping: the best validation, and the validations since the dev metric last improved."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from seq2seq_core.config.metric_names import LOSS, DevMetric
from seq2seq_core.evaluation.scores import find_metric, is_higher_better


class EarlyStopping(BaseModel):
    """The best validation so far, and the validations without progress; part of the training state.

    A validation with a better dev metric is the new best. One with the same metric and a lower dev loss is the new best too, but is
    no progress: early stopping uses the metric alone. An improvement that is too small is the new best, but is no progress. Several
    small improvements are progress once their sum is large enough.

    A score at its worst tells nothing, and all scores that bad are equal. Among them a lower dev loss is progress too, however
    small. So a metric that moves late, or never, does not end a training that gets better.
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
    num_at_worst: int = 0
    """Validations in a row, up to the last one, whose score was at its worst."""

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
        self.num_at_worst = self.num_at_worst + 1 if self._is_at_worst(value) else 0
        sign = 1.0 if is_higher_better(self.metric) else -1.0
        gain = None if best is None else sign * (self._bounded(value) - self._bounded(best))
        is_better = gain is None or gain > 0
        is_equal_with_lower_loss = gain == 0 and self.loss is not None and loss < self.loss
        has_progress = (
            self.counted is None
            or (is_better and sign * (self._bounded(value) - self._bounded(self.counted)) >= min_improvement)
            or (is_equal_with_lower_loss and self._is_at_worst(value))
        )
        self.num_stale = 0 if has_progress else self.num_stale + 1
        self.counted = value if has_progress else self.counted
        if not is_better and not is_equal_with_lower_loss:
            return False
        self.step, self.loss, self.score = step, loss, score
        return True

    def _is_at_worst(self, value: float) -> bool:
        """Whether a value of the metric is the worst there is; a loss never is."""
        return self.metric != LOSS and find_metric(self.metric).is_at_worst(value)

    def _bounded(self, value: float) -> float:
        """A value of the metric, or the worst there is if it is at least as bad."""
        return find_metric(self.metric).worst if self._is_at_worst(value) else value
