"""Parts of ``train``: the plateau schedule, the handling of divergence, and the members of an ensemble."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section


class Plateau(Section):
    """The learning rate of ``schedule: plateau``: constant after the warm-up, and lowered each time that dev stops improving."""

    factor: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Factor by which the learning rate is lowered."""
    patience: int = Field(default=3, ge=1)
    """Validations after the warm-up without a better dev metric before the rate is lowered; below ``train.patience`` unless that is
    0."""
    lowest_fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    """Lower bound of the learning rate, as a share of ``train.learning_rate``."""


class Divergence(Section):
    """Handling of divergence: a loss or gradient that is not finite, or a sudden rise of the loss."""

    action: Literal["stop", "step_back"] = "stop"
    """``stop``: training ends with an error that says what happened, and the last checkpoint stays. ``step_back``: weights,
    averages and optimiser return to the phase's last validation (or start), and training resumes with the data after the diverged
    update, as for PaLM (Chowdhery 2022, section 5.1)."""
    spike_factor: float = Field(default=0.0, ge=0.0)
    """An update diverges if its loss per target token is above this many times the running average, such as 3 (and more than 0.1
    nats above it); it is not applied. The first 20 updates of a phase only build the average. 0: no check."""
    max_step_backs: int = Field(default=3, ge=1)
    """``step_back``: most steps back in a phase; the next divergence stops training."""
    rate_factor: float = Field(default=0.5, gt=0.0, le=1.0)
    """``step_back``: factor on the learning rate for the rest of the phase, applied each time; 1: no change."""

    @model_validator(mode="after")
    def _spikes_are_above_the_average(self) -> Self:
        if 0.0 < self.spike_factor <= 1.0:
            raise ValueError(f"spike_factor must be above 1, or 0 for none, got {self.spike_factor:g}")
        return self


class EnsembleSettings(Section):
    """The members of an ensemble; each symbol's log-probability is the mean of theirs."""

    members: int = Field(default=0, ge=0, le=32)
    """Models that decode together; 0: one model. Decoding, and for ``seeds`` training, costs so many times as much."""
    kind: Literal["seeds", "snapshots"] = "seeds"
    """``seeds``: trainings with the seeds ``train.seed``, ``train.seed`` + 1 and so on. ``snapshots``: the weights at the last
    validations of one training, which costs nothing but longer validations and gains less (Sennrich 2016, section 2.2); the dev
    metric that chooses the best is then that of the ensemble."""

    @property
    def num_snapshots(self) -> int:
        """Validations whose weights decode together; 0: the weights of one."""
        return self.members if self.kind == "snapshots" else 0

    @property
    def num_seeds(self) -> int:
        """Trainings."""
        return self.members if self.members and self.kind == "seeds" else 1

    @model_validator(mode="after")
    def _one_is_no_ensemble(self) -> Self:
        if self.members == 1:
            raise ValueError("members must be 0 (one model) or at least 2, got 1")
        return self
