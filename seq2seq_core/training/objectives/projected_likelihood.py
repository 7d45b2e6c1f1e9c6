"""The output projection and the label-smoothed likelihood in one pass; the logits of a whole batch are never in memory.

A few rows at a time are projected and compared with their targets. Their share of the gradients is computed at once, while their
logits are in the cache. Label smoothing needs no extra pass over the logits: their mean over the vocabulary is the features times
the mean of the weights. Computing the gradient in the forward pass follows Hsu 2024 (Liger Kernel, section 3.2).

Shapes: B batch, T target length, N positions (targets without padding), D width, V vocabulary, P positions of a piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.batching.batch import Batch
from seq2seq_core.modeling.ensemble import AnyModel
from seq2seq_core.modeling.layers.packing import Packing
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.training.objectives.label_smoothing import LabelSmoothing, LikelihoodSums, likelihood_sums

PIECE_NUMBERS = 1 << 21
"""Logits in a piece on a CPU: 8 MiB in float32. With smaller pieces, the gradient of the weights would be added up more often."""
PIECE_NUMBERS_ELSEWHERE = 1 << 27
"""Logits in a piece on other devices; bounds the memory."""

SMALLEST = 1e-30
"""Probabilities above it have a full mantissa in float32."""


def projected_sums(model: AnyModel, batch: Batch, inputs_BT: Tensor, label_smoothing: float) -> LikelihoodSums:
    """The label-smoothed loss of the model's logits; these are never all in memory, and padding is not projected.

    Args:
        model: any; one whose output is no projection, such as an ensemble's or a pointer-generator's, has all its logits in memory.
        batch: the pairs.
        inputs_BT: int64, the decoder's inputs.
        label_smoothing: e, from 0 to below 1.
    """
    if not isinstance(model, Seq2Seq) or not model.is_projection:
        return likelihood_sums(model(batch.source, inputs_BT), batch.target_out_BT, label_smoothing)
    packing = Packing.of(batch.target_padding_mask_BT, batch.num_target_tokens)
    features_1ND = packing.pack(model.features(batch.source, inputs_BT, packing))
    targets_N = batch.target_out_BT.flatten()[packing.places_N]
    taken = (features_1ND.squeeze(0), *model.output_weights(), targets_N)
    objective, likelihood = ProjectedLikelihood.apply(  # type: ignore[no-untyped-call]
        *taken, label_smoothing, torch.is_grad_enabled()
    )
    return LikelihoodSums(objective, likelihood)


class ProjectedLikelihood(torch.autograd.Function):
    """The label-smoothed loss of p = softmax(W x + b) and the negative log-likelihood alone, summed over positions, in nats."""

    @staticmethod
    def forward(
        ctx: Any,
        features_ND: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor,
        target_N: Tensor,
        label_smoothing: float,
        needs_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        """The two sums, scalars in float32; only the first has a gradient.

        Args:
            ctx: context of autograd.
            features_ND: x, of any precision; inside autocast the products use the precision of autocast.
            weight_VD: W.
            bias_V: b.
            target_N: int64, the symbol of each position.
            label_smoothing: e, from 0 to below 1.
            needs_gradient: whether :meth:`backward` will be called (an autograd function cannot find out by itself).
        """
        vocabulary = len(weight_VD)
        smoothing = LabelSmoothing(label_smoothing, vocabulary)
        mean_weight_D, mean_bias = weight_VD.float().mean(dim=0), bias_V.float().mean()
        sums = features_ND.new_zeros(2, dtype=torch.float32)  # of -log p(y), and of the mean over v of -log p(v)
        gradients: list[Tensor] = []
        if needs_gradient:
            gradient_ND = torch.empty_like(features_ND)
            # The term -e / V in the gradient of each logit, summed over all positions.
            gradient_VD = (-smoothing.uniform * features_ND.float().sum(dim=0)).repeat(vocabulary, 1)
            gradient_V = gradient_VD.new_full((vocabulary,), -smoothing.uniform * len(features_ND))
            gradients = [gradient_ND, gradient_VD, gradient_V]
        for rows in _pieces(len(features_ND), vocabulary, features_ND.device):
            features_PD, target_P1 = features_ND[rows], target_N[rows, None]
            logits_PV = functional.linear(features_PD, weight_VD, bias_V)
            taken_P = logits_PV.gather(-1, target_P1).squeeze(-1).float()
            probability_PV = torch.softmax(logits_PV, dim=-1, dtype=torch.float32)
            normaliser_P = _log_normaliser(logits_PV, probability_PV, taken_P, target_P1)
            mean_P = features_PD.float() @ mean_weight_D + mean_bias
            sums += torch.stack([(normaliser_P - taken_P).sum(), (normaliser_P - mean_P).sum()])
            if not needs_gradient:
                continue
            smoothing.subtract_targets(probability_PV, target_P1)
            gradient_V += probability_PV.sum(dim=0)
            by_logit_PV = probability_PV.to(logits_PV.dtype)
            gradient_ND[rows] = by_logit_PV @ weight_VD.to(by_logit_PV.dtype)
            _add_product(gradient_VD, by_logit_PV, features_PD)
        if needs_gradient:
            gradient_ND.sub_(label_smoothing * mean_weight_D)
        ctx.save_for_backward(*gradients)
        likelihood = sums[0].clone()
        ctx.mark_non_differentiable(likelihood)
        return smoothing.loss(sums[0], sums[1]), likelihood

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        """The gradients by features, weights and bias.

        Args:
            ctx: context of autograd.
            gradient: of the loss of the update, by the first sum.
        """
        gradient_ND, gradient_VD, gradient_V = ctx.saved_tensors
        return gradient_ND * gradient, gradient_VD * gradient, gradient_V * gradient, None, None, None


def _log_normaliser(logits_PV: Tensor, probability_PV: Tensor, taken_P: Tensor, target_P1: Tensor) -> Tensor:
    """The logarithm of the sum of exp(logit), by position, from the probability of a symbol whose logit is known."""
    if logits_PV.device.type == "cpu":
        chosen_P = probability_PV.gather(-1, target_P1).squeeze(-1)
        if float(chosen_P.min()) > SMALLEST:
            return taken_P - chosen_P.log()
    # The largest probability is at least 1 / V, so that its logarithm is always exact.
    return logits_PV.amax(dim=-1).float() - probability_PV.amax(dim=-1).log()


def _add_product(total_VD: Tensor, by_logit_PV: Tensor, features_PD: Tensor) -> None:
    """Adds the gradient by the weights of one piece to the total."""
    if by_logit_PV.dtype == total_VD.dtype:
        total_VD.addmm_(by_logit_PV.t(), features_PD)
    else:
        total_VD += by_logit_PV.t() @ features_PD.to(by_logit_PV.dtype)


def _pieces(rows: int, vocabulary: int, device: torch.device) -> Iterator[slice]:
    """Slices of rows, of about the same size each."""
    numbers = PIECE_NUMBERS if device.type == "cpu" else PIECE_NUMBERS_ELSEWHERE
    count = -(-rows * vocabulary // numbers)
    size = max(1, -(-rows // max(1, count)))
    return (slice(first, first + size) for first in range(0, rows, size))
