"""A run that diverges: how it is noticed before an update is applied, and what is said about it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from seq2seq_core.config.recipe import Divergence
from seq2seq_core.errors import UserError

LEAST_SPIKE = 0.1
"""A spike is at least this far above the running average, in nats a target token: near 0, factors alone mean nothing."""
FIRST_UPDATES = 20
"""Updates that only make the running average."""
AVERAGE_DECAY = 0.98
"""Of the running average, once it has seen enough."""


class Diverged(UserError):
    """A loss or gradient that is no finite number, or a loss that leaps; the update that it belongs to was not applied."""


class LossAverage(BaseModel):
    """A running average of the loss of updates; part of the training state."""

    model_config = ConfigDict(extra="forbid")

    value: float = 0.0
    """Of the negative log-likelihood a target token, in nats."""
    updates: int = 0
    """How many it has seen."""
    first: float | None = None
    """Its value when it had first seen enough: the mean of the phase's first updates."""

    def add(self, loss: float) -> None:
        """Takes an update in: after update n the average is d times itself plus 1 - d times the loss, d = min(0.98, 1 - 1 / n).

        Args:
            loss: of the update, in nats a target token.
        """
        self.updates += 1
        decay = min(AVERAGE_DECAY, 1.0 - 1.0 / self.updates)
        self.value = decay * self.value + (1.0 - decay) * loss
        if self.updates == FIRST_UPDATES and self.first is None:
            self.first = self.value

    def after_stepping_back(self, good: LossAverage) -> LossAverage:
        """The average to go on with after stepping back.

        Where the good state's has not seen enough, this one knows more of what losses such weights have, from the phase's first
        updates, which went by the same weights. Otherwise no loss would count as a leap for a while, just when the learning rate is
        past its warm-up, and an average of losses that had leapt would let all the next ones pass.

        Args:
            good: of the state that is stepped back to.
        """
        if good.updates >= FIRST_UPDATES:
            return good
        if self.first is None:
            return self.model_copy()
        return LossAverage(value=self.first, updates=FIRST_UPDATES, first=self.first)

    def limit(self, settings: Divergence) -> float:
        """The loss above which the next update diverges; infinity where losses may leap or too few are known.

        Args:
            settings: the factor.
        """
        if not settings.spike_factor or self.updates < FIRST_UPDATES:
            return math.inf
        return max(settings.spike_factor * self.value, self.value + LEAST_SPIKE)


@dataclass(frozen=True)
class Pace:
    """What the course of a run until now says about its next update.

    Attributes:
        rate_scale: what the learning rate of the schedule is multiplied by.
        loss_limit: a loss above it, in nats a target token, is a spike.
        loss_scale: what the loss is multiplied by before its gradient is taken.
    """

    rate_scale: float = 1.0
    loss_limit: float = math.inf
    loss_scale: float = 1.0


def check_update(step: int, loss: float, gradient_norm: float, loss_limit: float, is_half: bool) -> None:
    """Refuses an update that must not be applied.

    Args:
        step: its number.
        loss: negative log-likelihood a target token, in nats.
        gradient_norm: before clipping.
        loss_limit: see :class:`Pace`.
        is_half: whether it was computed in bfloat16 or float16, which can be a cause.

    Raises:
        Diverged: loss or norm is no finite number, or the loss is above its limit.
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
    """Refuses weights that have no dev loss.

    Args:
        step: updates made.
        dev_loss: of the weights.

    Raises:
        Diverged: it is not a number.
    """
    if math.isnan(dev_loss):
        raise Diverged(f"step {step}: the dev loss is nan, expected a number; try a lower train.learning_rate")


def explain_no_update(divergence: Diverged, max_epochs: int) -> UserError:
    """The error that ends a phase whose epochs are over without a single update.

    Args:
        divergence: what happened last.
        max_epochs: of the phase.
    """
    return UserError(f"{divergence}; every update of the {max_epochs} epoch(s) that train.max_epochs allows diverged")


def explain_end(divergence: Diverged, settings: Divergence, num_step_backs: int, last_saved_step: int | None) -> UserError:
    """The error that ends a run that diverges.

    Args:
        divergence: what happened.
        settings: what was to be done about it.
        num_step_backs: how often it was done in this phase.
        last_saved_step: of the last checkpoint; None where there is none.
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
