"""The label-smoothed negative log-likelihood in pieces that stay in a CPU's cache, with its gradient written out.

Autograd would keep the log-probabilities and pass several times over arrays of their size; here one piece of rows after another is
read once in each direction.

Shapes: N positions (batch times target length), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

PIECE_NUMBERS = 1 << 18
"""Logits in a piece: 1 MiB in float32."""


class SmoothedLikelihood(torch.autograd.Function):
    """Sums over positions of (1 - e) * -log p(y) + e * mean over v of -log p(v), and of -log p(y) alone, in nats.

    The gradient by a logit is p(v) - (1 - e) * [v = y] - e / V.
    """

    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, target_N: Tensor, is_token_N: Tensor, label_smoothing: float) -> tuple[Tensor, Tensor]:
        """The two sums, scalars in float32; a gradient belongs to the first alone.

        Args:
            ctx: of autograd.
            logits_NV: unnormalised log-probabilities, in any precision.
            target_N: int64, the symbol of each position.
            is_token_N: bool, false where a position counts for nothing.
            label_smoothing: e, from 0 to below 1.
        """
        normaliser_N = torch.empty(target_N.shape, dtype=torch.float32, device=target_N.device)
        negative_mean_N = torch.empty_like(normaliser_N)
        for rows in _pieces(logits_NV):
            piece_NV = logits_NV[rows].float()
            normaliser_N[rows] = torch.logsumexp(piece_NV, dim=-1)
            if label_smoothing:
                negative_mean_N[rows] = normaliser_N[rows] - piece_NV.mean(dim=-1)
        taken_N = logits_NV.gather(-1, target_N.unsqueeze(-1)).squeeze(-1).float()
        likelihood = torch.where(is_token_N, normaliser_N - taken_N, 0.0).sum()
        objective = likelihood
        if label_smoothing:
            uniform = torch.where(is_token_N, negative_mean_N, 0.0).sum()
            objective = (1.0 - label_smoothing) * likelihood + label_smoothing * uniform
        ctx.save_for_backward(logits_NV, target_N, is_token_N, normaliser_N)
        ctx.label_smoothing = label_smoothing
        ctx.mark_non_differentiable(likelihood)
        return (objective.clone() if objective is likelihood else objective), likelihood

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient by the logits, in their precision.

        Args:
            ctx: of autograd.
            gradient: of what is made smaller, by the first sum.
        """
        logits_NV, target_N, is_token_N, normaliser_N = ctx.saved_tensors
        smoothing, weight_N = ctx.label_smoothing, is_token_N * gradient
        gradient_NV, is_float32 = torch.empty_like(logits_NV), logits_NV.dtype == torch.float32
        for rows in _pieces(logits_NV):
            # Written in place where the logits are in float32.
            piece_NV = gradient_NV[rows] if is_float32 else gradient_NV[rows].float()
            torch.sub(logits_NV[rows], normaliser_N[rows, None], out=piece_NV).exp_()
            if smoothing:
                piece_NV.sub_(smoothing / logits_NV.shape[1])
            piece_NV.scatter_add_(1, target_N[rows, None], piece_NV.new_full((len(piece_NV), 1), smoothing - 1.0))
            piece_NV.mul_(weight_N[rows, None])
            if not is_float32:
                gradient_NV[rows] = piece_NV
        return gradient_NV, None, None, None


def _pieces(logits_NV: Tensor) -> Iterator[slice]:
    """Slices of rows; all of them together where the device has no such cache."""
    rows = len(logits_NV) if logits_NV.device.type != "cpu" else max(1, PIECE_NUMBERS // logits_NV.shape[1])
    return (slice(first, first + rows) for first in range(0, len(logits_NV), max(1, rows)))
