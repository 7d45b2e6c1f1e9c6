"""Divergence of a run: its detection before an update is applied, and its error messages."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from seq2seq_core.config.recipe import Divergence
from seq2seq_core.errors import UserError

LEAST_SPIKE = 0.1
"""Minimum height of a spike above the running average, in nats per target token: near 0 the factor alone means nothing."""
FIRST_UPDATES = 20
"""Updates that only make the running average."""
AVERAGE_DECAY = 0.98
"""Decay of the running average, after its first updates."""


class Diverged(UserError):
    """A loss or gradient that is not finite, or a spike of the loss; the update was not applied."""


class LossAverage(BaseModel):
    """A running average of the loss of updates; part of the training state."""

    model_config = ConfigDict(extra="forbid")

    value: float = 0.0
    """Average of the negative log-likelihood per target token, in nats."""
    updates: int = 0
    """Number of updates in the average."""
    first: float | None = None
    """Its value after ``FIRST_UPDATES``: the mean of the phase's first updates."""

    def add(self, loss: float) -> None:
        """Adds update n: average = d * average + (1 - d) * loss, with d = min(0.98, 1 - 1 / n).

        Args:
            loss: loss of the update, in nats per target token.
        """
        self.updates += 1
        decay = min(AVERAGE_DECAY, 1.0 - 1.0 / self.updates)
        self.value = decay * self.value + (1.0 - decay) * loss
        if self.updates == FIRST_UPDATES and self.first is None:
            self.first = self.value

    def after_stepping_back(self, good: LossAverage) -> LossAverage:
        """The average after stepping back.

        If the average of the good state covers too few updates, the mean of the phase's first updates replaces it: these updates
        started from the same weights. With too few updates, no loss would count as a spike for a while, just after the warm-up of
        the learning rate. With an average that includes spikes, the next spikes would pass.

        Args:
            good: average of the good state.
        """
        if good.updates >= FIRST_UPDATES:
            return good
        if self.first is None:
            return self.model_copy()
        return LossAverage(value=self.first, updates=FIRST_UPDATES, first=self.first)

    def limit(self, settings: Divergence) -> float:
        """The loss above which the next update diverges; infinity if spikes are allowed or too few losses are known.

        Args:
            settings: gives ``spike_factor``.
        """
        if not settings.spike_factor or self.updates < FIRST_UPDATES:
            return math.inf
        return max(settings.spike_factor * self.value, self.value + LEAST_SPIKE)


@dataclass(frozen=True)
class Pace:
    """The scales and the loss limit of the next update, from the course of the run so far.

    Attributes:
        rate_scale: factor on the learning rate of the schedule.
        loss_limit: a loss above it, in nats per target token, is a spike.
        loss_scale: factor on the loss before its gradient is computed.
    """

    rate_scale: float = 1.0
    loss_limit: float = math.inf
    loss_scale: float = 1.0


def check_update(step: int, loss: float, gradient_norm: float, loss_limit: float, is_half: bool) -> None:
    """Raises if an update must not be applied.

    Args:
        step: its number.
        loss: negative log-likelihood per target token, in nats.
        gradient_norm: before clipping.
        loss_limit: see :class:`Pace`.
        is_half: whether it was computed in bfloat16 or float16, which can be a cause.

    Raises:
        Diverged: loss or norm is not finite, or the loss is above its limit.
    """
    remedies = ["a lower train.learning_rate", "more train.warmup_steps", "a train.gradient_clip_norm such as 1.0"]
    if is_half:
        remedies.append("runtime.precision: float32")
    advice = f"try {', '.join(remedies)}"
    for name, value in (("loss", loss), ("gradient norm", gradient_norm)):
        if not math.isfinite(value):
            raise Diverged(f"step {step}: the {name} is {value}, expected a finite number; {advice}")
    if loss > loss_limit:
        raise Diverged(
            f"step {step}: the loss leapt to {loss:.4f}, expected at most {loss_limit:.4f} by its running average and "
            f"train.divergence.spike_factor; {advice}"
        )


def check_validation(step: int, dev_loss: float) -> None:
    """Raises if the dev loss of the weights is not a number.

    Args:
        step: updates made.
        dev_loss: dev loss of the weights, in nats per target token.

    Raises:
        Diverged: it is not a number.
    """
    if math.isnan(dev_loss):
        raise Diverged(f"step {step}: the dev loss is nan, expected a number; try a lower train.learning_rate")


def explain_no_update(divergence: Diverged, max_epochs: int) -> UserError:
    """The error that ends a phase whose epochs are over without a single applied update.

    Args:
        divergence: the last divergence.
        max_epochs: limit of the phase.
    """
    return UserError(f"{divergence}; every update of the {max_epochs} epoch(s) that train.max_epochs allows diverged")


def explain_end(divergence: Diverged, settings: Divergence, num_step_backs: int, last_saved_step: int | None) -> UserError:
    """The error that ends a diverging run.

    Args:
        divergence: the divergence.
        settings: the action, and the limit of step-backs.
        num_step_backs: step-backs in this phase.
        last_saved_step: step of the last checkpoint; None if there is none.
    """
    saved = "no checkpoint was written yet" if last_saved_step is None else f"the checkpoint of step {last_saved_step} stays"
    if settings.action == "stop":
        return UserError(
            f"{divergence}, or train.divergence.action: step_back, which goes on with other data from the last good state; {saved}"
        )
    if num_step_backs >= settings.max_step_backs:
        return UserError(
            f"{divergence}; training stepped back {num_step_backs} time(s) in this phase already, the most that "
            f"train.divergence.max_step_backs allows; {saved}"
        )
    return UserError(f"{divergence}; there is no whole checkpoint of a good state to step back to; {saved}")
