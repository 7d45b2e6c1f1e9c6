"""Progress of a training run: everything in its state except the tensors."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from seq2seq_core.config.metric_names import DevMetric
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.training.data.update_plan import Place
from seq2seq_core.training.state.early_stopping import EarlyStopping
from seq2seq_core.training.updates.divergence import LossAverage, Pace
from seq2seq_core.training.updates.loss_scale import LossScale
from seq2seq_core.training.updates.schedules.plateau import PlateauState
from seq2seq_core.training.updates.updater import UpdateResult


class LossMeter(BaseModel):
    """The mean negative log-likelihood over some updates, and the means of other figures."""

    model_config = ConfigDict(extra="forbid")

    total: float = 0.0
    """Sum over target tokens, in nats."""
    target_tokens: int = 0
    """Their number."""
    measures: dict[str, tuple[float, float]] = {}
    """Further figures of the objective: sum and number, by name."""

    def add(self, result: UpdateResult) -> None:
        """Adds an update."""
        self.total += result.negative_log_likelihood
        self.target_tokens += result.target_tokens
        for name, measure in result.measures.items():
            total, number = self.measures.get(name, (0.0, 0.0))
            self.measures[name] = (total + measure.total, number + measure.number)

    def take(self) -> float:
        """Returns the mean per token and resets the sums."""
        mean = self.total / self.target_tokens
        self.total, self.target_tokens, self.measures = 0.0, 0, {}
        return mean

    def take_measures(self) -> dict[str, float]:
        """Returns the mean of each further figure and resets them."""
        means = {name: total / number for name, (total, number) in self.measures.items()}
        self.measures = {}
        return means


class ValidationPoint(BaseModel):
    """One row of ``reports/training_curve.csv``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phase: int = 0
    """Its phase, from 0."""
    step: int
    """Updates made."""
    train_loss: float
    """Negative log-likelihood per target token since the previous validation, in nats."""
    dev_loss: float
    """Negative log-likelihood per target token of dev, in nats."""
    learning_rate: float
    """Of the last update."""
    gradient_norm: float
    """Of the last update, before clipping."""
    dev_score: float | None
    """The dev metric (``chrf`` where that is the loss) of greedily decoded dev sources; None where none are decoded."""


class ProgressState(BaseModel):
    """The progress of a run."""

    model_config = ConfigDict(extra="forbid")

    best: EarlyStopping
    """The best validation of this phase."""
    step: int = 0
    """Updates made, in all phases."""
    phase: int = 0
    """The current phase, from 0."""
    phase_step: int = 0
    """Updates made before this phase."""
    phase_epoch: int = 0
    """The epoch that this phase began with."""
    cut_epochs: int = 0
    """Epochs that the end of a phase cut short."""
    next_place: Place = Place()
    """The place of the next update in the data."""
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
    plateau: PlateauState = PlateauState()
    """Reductions of the learning rate in this phase."""
    loss_average: LossAverage = LossAverage()
    """Running average of the loss, to detect spikes."""
    loss_scale: LossScale = LossScale()
    """Loss scale of float16; unchanged in other precisions."""
    num_step_backs: int = 0
    """How often the run stepped back to the last good weights in this phase."""

    @property
    def is_validated(self) -> bool:
        """Whether the current weights have been validated."""
        return bool(self.validations) and self.validations[-1].step == self.step

    @property
    def steps_in_phase(self) -> int:
        """Updates made in this phase."""
        return self.step - self.phase_step

    @property
    def epochs_in_phase(self) -> int:
        """Full passes over train in this phase."""
        return self.next_place.epoch - self.phase_epoch

    @property
    def full_epochs(self) -> int:
        """Full passes over train in all phases."""
        return self.next_place.epoch - self.cut_epochs

    def pace(self, settings: PhaseSettings, scales_loss: bool) -> Pace:
        """The scales and the loss limit of the next update.

        Args:
            settings: settings of this phase.
            scales_loss: whether the precision needs a scaled loss.
        """
        divergence = settings.divergence
        scale = self.plateau.scale(settings.plateau) if settings.schedule == "plateau" else 1.0
        loss_scale = self.loss_scale.factor if scales_loss else 1.0
        return Pace(scale * divergence.rate_factor**self.num_step_backs, self.loss_average.limit(divergence), loss_scale)

    def enter_next_phase(self, metric: DevMetric) -> None:
        """Ends this phase; the next one begins with a new epoch, so that no place of an update, and no seed, occurs twice.

        Args:
            metric: the metric that compares the validations of the next phase.
        """
        if self.next_place.is_within_epoch:
            self.next_place = Place(epoch=self.next_place.epoch + 1)
            self.cut_epochs += 1
        self.phase += 1
        self.phase_step, self.phase_epoch = self.step, self.next_place.epoch
        self.best = EarlyStopping(metric=metric)
        self.plateau, self.loss_average, self.num_step_backs = PlateauState(), LossAverage(), 0
