"""Where a training run is: everything in its state but the tensors."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from seq2seq_core.training.best_so_far import BestSoFar
from seq2seq_core.training.update import UpdateResult
from seq2seq_core.training.update_plan import Place


class LossMeter(BaseModel):
    """The mean negative log-likelihood over some updates."""

    model_config = ConfigDict(extra="forbid")

    total: float = 0.0
    """Sum over target tokens, in nats."""
    target_tokens: int = 0
    """Their number."""

    def add(self, result: UpdateResult) -> None:
        """Takes an update in."""
        self.total += result.negative_log_likelihood
        self.target_tokens += result.target_tokens

    def take(self) -> float:
        """Returns the mean a token and starts anew."""
        mean = self.total / self.target_tokens
        self.total, self.target_tokens = 0.0, 0
        return mean


class ValidationPoint(BaseModel):
    """One row of ``reports/training_curve.csv``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    """Updates made."""
    train_loss: float
    """Negative log-likelihood a target token since the validation before, in nats."""
    dev_loss: float
    """Negative log-likelihood a target token of dev, in nats."""
    learning_rate: float
    """Of the last update."""
    gradient_norm: float
    """Of the last update, before clipping."""
    dev_score: float | None
    """The dev metric (``chrf`` where that is the loss) of greedily decoded dev sources; None where none are decoded."""


class ProgressState(BaseModel):
    """How far a run is."""

    model_config = ConfigDict(extra="forbid")

    best: BestSoFar
    """The best validation."""
    step: int = 0
    """Updates made."""
    next_place: Place = Place()
    """Where in the data the next update is."""
    last_learning_rate: float = 0.0
    """Of the last update."""
    last_gradient_norm: float = 0.0
    """Of the last update."""
    since_log: LossMeter = LossMeter()
    """Since the curves' last point."""
    since_validation: LossMeter = LossMeter()
    """Since the last validation."""
    validations: list[ValidationPoint] = []
    """All validations, in order."""

    @property
    def is_validated(self) -> bool:
        """Whether the weights as they are have been validated."""
        return bool(self.validations) and self.validations[-1].step == self.step
