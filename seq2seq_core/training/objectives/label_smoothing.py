"""The label-smoothed negative log-likelihood: its formula, and the loss of logits, with the gradient written out.

Autograd would keep the log-probabilities and pass several times over arrays of their size. Here the rows are cut into pieces that
fit a CPU's cache, and each piece is read once in each direction.

Shapes: B batch, T target length, N positions (batch times target length), P positions of a piece, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seq2seq_core.tokenization.special_tokens import PAD_ID

PIECE_NUMBERS = 1 << 18
"""Logits in a piece: 1 MiB in float32."""


@dataclass(frozen=True)
class LabelSmoothing:
    """The formula of every label-smoothed loss: the cross-entropy with the targets q(v) = (1 - e) * [v = y] + e / V.

    (Szegedy 2016, section 7.) The gradient by a logit is p(v) - q(v).

    Attributes:
        smoothing: e, from 0 to below 1.
        vocabulary_size: V.
    """

    smoothing: float
    vocabulary_size: int

    @property
    def uniform(self) -> float:
        """The probability that q adds to every symbol, e / V."""
        return self.smoothing / self.vocabulary_size

    def loss(self, likelihood: Tensor, uniform: Tensor) -> Tensor:
        """The loss from its two parts.

        Args:
            likelihood: the sum of -log p(y).
            uniform: the sum of the mean over v of -log p(v).
        """
        return (1.0 - self.smoothing) * likelihood + self.smoothing * uniform

    def subtract_targets(self, probability_PV: Tensor, target_P1: Tensor) -> None:
        """Subtracts (1 - e) * [v = y] in place; the gradient by the logits is the result minus :attr:`uniform`."""
        probability_PV.scatter_add_(1, target_P1, probability_PV.new_full(target_P1.shape, self.smoothing - 1.0))


@dataclass(frozen=True)
class LikelihoodSums:
    """Sums over the target tokens of a batch, padding left out; in nats.

    Attributes:
        objective: the label-smoothed loss, a scalar with a gradient.
        negative_log_likelihood: its part without smoothing, a scalar without a gradient.
    """

    objective: Tensor
    negative_log_likelihood: Tensor


def likelihood_sums(logits_BTV: Tensor, target_out_BT: Tensor, label_smoothing: float) -> LikelihoodSums:
    """The label-smoothed loss of logits, summed over target tokens.

    Args:
        logits_BTV: unnormalised log-probabilities.
        target_out_BT: int64, the symbols to predict; ``PAD_ID`` is ignored.
        label_smoothing: e, from 0 to below 1.
    """
    flat = (logits_BTV.flatten(0, 1), target_out_BT.flatten(), target_out_BT.ne(PAD_ID).flatten())
    objective, likelihood = SmoothedLikelihood.apply(*flat, label_smoothing)  # type: ignore[no-untyped-call]
    return LikelihoodSums(objective, likelihood)


class SmoothedLikelihood(torch.autograd.Function):
    """The label-smoothed loss of logits and the negative log-likelihood alone, summed over positions, in nats."""

    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, target_N: Tensor, is_token_N: Tensor, label_smoothing: float) -> tuple[Tensor, Tensor]:
        """The two sums, scalars in float32; only the first has a gradient.

        Args:
            ctx: context of autograd.
            logits_NV: unnormalised log-probabilities, in any precision.
            target_N: int64, the symbol of each position.
            is_token_N: bool, false at positions to ignore.
            label_smoothing: e, from 0 to below 1.
        """
        smoothing = LabelSmoothing(label_smoothing, logits_NV.shape[1])
        normaliser_N = torch.empty(target_N.shape, dtype=torch.float32, device=target_N.device)
        negative_mean_N = torch.zeros_like(normaliser_N)
        for rows in _pieces(logits_NV):
            piece_PV = logits_NV[rows].float()
            normaliser_N[rows] = torch.logsumexp(piece_PV, dim=-1)
            if label_smoothing:
                negative_mean_N[rows] = normaliser_N[rows] - piece_PV.mean(dim=-1)
        taken_N = logits_NV.gather(-1, target_N.unsqueeze(-1)).squeeze(-1).float()
        likelihood = torch.where(is_token_N, normaliser_N - taken_N, 0.0).sum()
        uniform = torch.where(is_token_N, negative_mean_N, 0.0).sum()
        ctx.save_for_backward(logits_NV, target_N, is_token_N, normaliser_N)
        ctx.smoothing = smoothing
        ctx.mark_non_differentiable(likelihood)
        return smoothing.loss(likelihood, uniform), likelihood

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient by the logits, in their precision.

        Args:
            ctx: context of autograd.
            gradient: of the loss of the update, by the first sum.
        """
        logits_NV, target_N, is_token_N, normaliser_N = ctx.saved_tensors
        smoothing: LabelSmoothing = ctx.smoothing
        weight_N = is_token_N * gradient
        gradient_NV, is_float32 = torch.empty_like(logits_NV), logits_NV.dtype == torch.float32
        for rows in _pieces(logits_NV):
            # Written in place where the logits are in float32.
            piece_PV = gradient_NV[rows] if is_float32 else gradient_NV[rows].float()
            torch.sub(logits_NV[rows], normaliser_N[rows, None], out=piece_PV).exp_()
            if smoothing.uniform:
                piece_PV.sub_(smoothing.uniform)
            smoothing.subtract_targets(piece_PV, target_N[rows, None])
            piece_PV.mul_(weight_N[rows, None])
            if not is_float32:
                gradient_NV[rows] = piece_PV
        return gradient_NV, None, None, None


def _pieces(logits_NV: Tensor) -> Iterator[slice]:
    """Slices of rows that fit a CPU's cache; on other devices one slice of all rows."""
    rows = len(logits_NV) if logits_NV.device.type != "cpu" else max(1, PIECE_NUMBERS // logits_NV.shape[1])
    return (slice(first, first + rows) for first in range(0, len(logits_NV), max(1, rows)))
