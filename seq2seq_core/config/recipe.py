"""Parts of ``train`` that have settings of their own: the schedule by plateaus, and what is done about a run that diverges."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section


class Plateau(Section):
    """The learning rate of ``schedule: plateau``: constant after the warm-up, and lower each time that dev stops getting better."""

    factor: float = Field(default=0.5, gt=0.0, lt=1.0)
    """What the learning rate is multiplied by."""
    patience: int = Field(default=3, ge=1)
    """Validations after the warm-up without a better dev metric after which it is; below ``train.patience`` unless that is 0."""
    lowest_fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    """The learning rate does not fall below this share of ``train.learning_rate``."""


class Divergence(Section):
    """What is done when a loss or gradient is no finite number, or the loss leaps."""

    action: Literal["stop", "step_back"] = "stop"
    """``stop``: training ends with an error that says what happened, and the last checkpoint stays. ``step_back``: weights,
    averages and optimiser become those of the phase's last validation (or beginning) again, and training goes on with the
    data after the update that diverged, as was done for PaLM (Chowdhery 2022, section 5.1)."""
    spike_factor: float = Field(default=0.0, ge=0.0)
    """An update whose loss a target token is above this many times its running average (and more than 0.1 nats above it) diverges,
    such as 3; it is not applied. The first 20 updates of a phase only make the average. 0: losses may leap."""
    max_step_backs: int = Field(default=3, ge=1)
    """``step_back``: how often in a phase before training stops after all."""
    rate_factor: float = Field(default=0.5, gt=0.0, le=1.0)
    """``step_back``: what the learning rate of the rest of the phase is multiplied by each time; 1: it stays."""

    @model_validator(mode="after")
    def _spikes_are_above_the_average(self) -> Self:
        if 0.0 < self.spike_factor <= 1.0:
            raise ValueError(f"spike_factor must be above 1, or 0 for none, got {self.spike_factor:g}")
        return self
