"""The calibrator in ``config.json`` of a served bundle: plain numbers that turn a decoded answer into its confidence."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seq2seq_core.config.decoding_options import AnswerEvent

FeatureName = Literal["log_probability", "doubt", "token_log_probability", "token_doubt", "length", "source_length"]
"""Features of an answer, see :mod:`seq2seq_core.decoding.confidence.answer_features`."""
LARGEST = 1e6
"""Largest weight: no sum of weighted features overflows."""


class PromisedError(BaseModel):
    """A threshold of the confidence, and the share of wrong answers above it that dev proves.

    On sources like those of dev, of the answers with at least ``min_confidence`` a share of at most ``max_error`` is wrong, with a
    probability of 95 %.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    max_error: float = Field(gt=0.0, lt=1.0)
    """The promised share of wrong answers among those given."""
    min_confidence: float = Field(ge=0.0, le=1.0)
    """The threshold."""
    answered: float = Field(ge=0.0, le=1.0)
    """The share of dev that is answered."""
    error: float = Field(ge=0.0, le=1.0)
    """The share of wrong answers among these."""


class StoredCalibrator(BaseModel):
    """A logistic regression of the event that an answer is right (Platt 1999)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    event: AnswerEvent
    """What a right answer is."""
    min_chrf: float = Field(ge=0.0, le=100.0)
    """Least sentence-level chrF of a right answer; 0 where the event is another one."""
    intercept: float = Field(ge=-LARGEST, le=LARGEST)
    """Log-odds of an answer whose features are all 0."""
    weights: dict[FeatureName, float]
    """What one unit of a feature adds to the log-odds."""
    rows: int = Field(ge=1)
    """Rows of dev that it was fitted on."""
    right: int = Field(ge=0)
    """How many of their answers were right."""
    promises: list[PromisedError] = Field(max_length=100)
    """Thresholds and the errors that they promise, smallest error first."""

    @model_validator(mode="after")
    def _numbers_are_in_range(self) -> Self:
        if too_large := [name for name, weight in self.weights.items() if abs(weight) > LARGEST]:
            raise ValueError(f"weights.{too_large[0]} must be from {-LARGEST:g} to {LARGEST:g}")
        if self.right > self.rows:
            raise ValueError(f"right must be at most rows, got {self.right} > {self.rows}")
        return self
