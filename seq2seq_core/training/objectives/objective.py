"""The protocol of training objectives, and its results: the loss of a batch and figures for the curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from torch import Tensor

from seq2seq_core.batching.batch import Batch
from seq2seq_core.modeling.seq2seq import Seq2Seq


class Measure(NamedTuple):
    """A figure for the curves, kept as a sum so that it can be averaged over any number of batches."""

    total: float
    """The sum."""
    number: float
    """The number of values in the sum."""


@dataclass(frozen=True)
class UpdateSize:
    """The size of an update: totals over all of its batches of one kind of part.

    Attributes:
        target_tokens: ids to predict, padding left out.
        sentences: pairs.
    """

    target_tokens: int
    sentences: int


@dataclass(frozen=True)
class Moment:
    """The place of a batch in its phase.

    Attributes:
        step: number of the update in its phase, from 1.
        seed: seed of all random draws for this batch except dropout.
    """

    step: int
    seed: int


@dataclass(frozen=True)
class BatchLoss:
    """The contribution of a batch to the loss of its update.

    Attributes:
        loss: a scalar with a gradient, normalised by the size of the batch's part in the whole update.
        negative_log_likelihood: of the references, summed over their tokens, in nats; a scalar without a gradient.
        measures: further figures for the curves, by name.
    """

    loss: Tensor
    negative_log_likelihood: Tensor
    measures: Mapping[str, Measure] = field(default_factory=dict)


class Objective(Protocol):
    """The loss that a phase minimises."""

    def loss(self, model: Seq2Seq, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
        """The loss of a batch; the model is in training mode before and after."""
