"""``train``: the objective, the optimiser, the batches and when to stop."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section

DevMetric = Literal["loss", "exact_match", "bleu", "chrf", "cer", "wer"]
"""What a checkpoint is chosen by: dev loss, or a score of greedily decoded dev sources."""

Decay = Annotated[float, Field(ge=0.0, lt=1.0)]
"""Decay of a running average, from 0 to below 1."""


class TrainSection(Section):
    """How the model is fitted."""

    seed: int = Field(default=1, ge=0)
    """Seed of initial weights, order of batches and dropout."""
    max_steps: int = Field(default=10_000, ge=1)
    """Most updates of the weights."""
    max_epochs: int = Field(default=0, ge=0)
    """Most passes over train; 0: no limit but ``max_steps``."""
    batch_tokens: int = Field(default=4096, ge=16)
    """Most tokens of a batch, padding included: rows times the longest source plus longest target."""
    accumulation: int = Field(default=1, ge=1)
    """Batches whose gradients are added up for one update."""
    learning_rate: float = Field(default=1e-3, gt=0.0, le=1.0)
    """Highest learning rate of the schedule."""
    schedule: Literal["constant", "inverse_sqrt", "linear", "cosine"] = "inverse_sqrt"
    """Shape of the learning rate after the warm-up."""
    warmup_steps: int = Field(default=400, ge=0)
    """Updates over which the learning rate rises linearly from 0."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Decoupled weight decay of AdamW, on matrices only."""
    adam_betas: tuple[Decay, Decay] = (0.9, 0.98)
    """Decay of AdamW's running averages of the gradient and of its square, each from 0 to below 1."""
    gradient_clip_norm: float = Field(default=1.0, ge=0.0)
    """Largest norm of the whole gradient; 0: no clipping."""
    label_smoothing: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Probability mass spread over the vocabulary (Szegedy 2016, section 7)."""
    validate_every_steps: int = Field(default=500, ge=1)
    """Updates between two validations; a checkpoint is written at each."""
    dev_metric: DevMetric = "loss"
    """What the best checkpoint and early stopping go by; of equal scores the one with the lower dev loss is kept."""
    dev_sentences: int = Field(default=500, ge=0)
    """Dev sources decoded at each validation (the first ones of dev); 0: none, possible only with ``dev_metric: loss``."""
    patience: int = Field(default=10, ge=0)
    """Validations without a better dev metric after which training stops; 0: never early."""

    @model_validator(mode="after")
    def _warm_up_ends_before_training(self) -> Self:
        if self.schedule in ("linear", "cosine") and self.warmup_steps >= self.max_steps:
            raise ValueError(
                f"warmup_steps must be below max_steps with schedule {self.schedule!r}, "
                f"got warmup_steps {self.warmup_steps} and max_steps {self.max_steps}"
            )
        return self
