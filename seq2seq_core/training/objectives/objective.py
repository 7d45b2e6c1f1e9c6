"""What the loss of a batch is: maximum likelihood with label smoothing, and what every objective hands to the updater.

Shapes: B batch, T target length, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Batch
from seq2seq_core.modeling.layers.packing import Packing
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import PAD_ID
from seq2seq_core.training.objectives.projected_likelihood import ProjectedLikelihood
from seq2seq_core.training.objectives.smoothed_likelihood import SmoothedLikelihood


class Measure(NamedTuple):
    """A figure for the curves, kept as a sum so that it can be averaged over any number of batches."""

    total: float
    """The sum."""
    number: float
    """Of how many."""


@dataclass(frozen=True)
class UpdateSize:
    """How much an update is made of, over all of its batches of one kind of part.

    Attributes:
        target_tokens: ids to predict, padding left out.
        sentences: pairs.
    """

    target_tokens: int
    sentences: int


@dataclass(frozen=True)
class Moment:
    """Where in a phase a batch is.

    Attributes:
        step: number of the update in its phase, from 1.
        seed: of all that is drawn for this batch but dropout.
    """

    step: int
    seed: int


@dataclass(frozen=True)
class BatchLoss:
    """What a batch adds to the loss of its update.

    Attributes:
        loss: a scalar with a gradient, normalised by the size of the batch's part in the whole update.
        negative_log_likelihood: of the references, summed over their tokens, in nats; a scalar without a gradient.
        measures: further figures for the curves, by name.
    """

    loss: Tensor
    negative_log_likelihood: Tensor
    measures: Mapping[str, Measure] = field(default_factory=dict)


class Objective(Protocol):
    """What a phase makes smaller."""

    def loss(self, model: Seq2Seq, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
        """The loss of a batch; the model is in training mode before and after."""


@dataclass(frozen=True)
class LikelihoodSums:
    """Sums over the target tokens of a batch, padding left out; in nats.

    Attributes:
        objective: what is minimised, a scalar with a gradient.
        negative_log_likelihood: the plain part of it, a scalar without one.
    """

    objective: Tensor
    negative_log_likelihood: Tensor


def likelihood_sums(logits_BTV: Tensor, target_out_BT: Tensor, label_smoothing: float) -> LikelihoodSums:
    """The objective (1 - e) * -log p(y) + e * mean over v of -log p(v)  (Szegedy 2016, section 7), summed over tokens.

    Args:
        logits_BTV: unnormalised log-probabilities.
        target_out_BT: int64, the symbols to predict; ``PAD_ID`` counts for nothing.
        label_smoothing: e, from 0 to below 1.
    """
    flat = (logits_BTV.flatten(0, 1), target_out_BT.flatten(), target_out_BT.ne(PAD_ID).flatten())
    objective, likelihood = SmoothedLikelihood.apply(*flat, label_smoothing)  # type: ignore[no-untyped-call]
    return LikelihoodSums(objective, likelihood)


def projected_sums(model: Seq2Seq, batch: Batch, inputs_BT: Tensor, label_smoothing: float) -> LikelihoodSums:
    """The same as :func:`likelihood_sums` of the model's logits; these are never all in memory, and padding is not projected.

    Args:
        model: any; the mixture of a pointer-generator is no projection, so that its logits are all in memory.
        batch: the pairs.
        inputs_BT: int64, what the decoder reads.
        label_smoothing: e, from 0 to below 1.
    """
    if model.pointer_generator is not None:
        return likelihood_sums(model(batch.source, inputs_BT), batch.target_out_BT, label_smoothing)
    packing = Packing.of(batch.target_padding_mask_BT, batch.num_target_tokens)
    features_1ND = packing.pack(model.features(batch.source, inputs_BT, packing))
    targets_N = batch.target_out_BT.flatten()[packing.places_N]
    taken = (features_1ND.squeeze(0), *model.output_weights(), targets_N)
    objective, likelihood = ProjectedLikelihood.apply(  # type: ignore[no-untyped-call]
        *taken, label_smoothing, torch.is_grad_enabled()
    )
    return LikelihoodSums(objective, likelihood)


def symmetric_divergence(first_BTV: Tensor, second_BTV: Tensor, target_out_BT: Tensor) -> Tensor:
    """The mean of KL(p || q) and KL(q || p), summed over target tokens (Liang 2021, equation 3): a scalar with a gradient.

    Args:
        first_BTV: logits of p.
        second_BTV: logits of q.
        target_out_BT: int64; positions with ``PAD_ID`` count for nothing.
    """
    first_BTV, second_BTV = (torch.log_softmax(logits_BTV.float(), dim=-1) for logits_BTV in (first_BTV, second_BTV))
    both_BT = ((first_BTV.exp() - second_BTV.exp()) * (first_BTV - second_BTV)).sum(dim=-1)
    return 0.5 * torch.where(target_out_BT.ne(PAD_ID), both_BT, 0.0).sum()


def coverage_sum(attention_BTS: Tensor, target_out_BT: Tensor) -> Tensor:
    """The sum over source positions of min(weight, coverage)  (See 2017, equation 12), summed over target tokens: with a gradient.

    The coverage of a position is the sum of its weights at all earlier target positions: what is attended to again counts.

    Args:
        attention_BTS: weights over the source.
        target_out_BT: int64; positions with ``PAD_ID`` count for nothing.
    """
    attention_BTS = attention_BTS.float()
    coverage_BTS = attention_BTS.cumsum(dim=1) - attention_BTS
    repeated_BT = torch.minimum(attention_BTS, coverage_BTS).sum(dim=-1)
    return torch.where(target_out_BT.ne(PAD_ID), repeated_BT, 0.0).sum()
