"""Dropout (Srivastava 2014) that draws 8 random bits an element on a CPU, where random numbers are a large part of its cost."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 256
"""Values of 8 bits: the probability of dropping is a multiple of 1 / 256."""


class Dropout(nn.Module):
    """In training sets each element to 0 with a probability and divides the others by that of keeping them.

    Args:
        probability: of dropping an element, from 0 to below 1; on a CPU the nearest multiple of 1 / 256 below 1.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """The values, of any shape, with some of them dropped."""
        if not self.training or not self.probability:
            return values
        if values.device.type != "cpu":
            return functional.dropout(values, self.probability)
        dropped: Tensor = _ByteDropout.apply(values, self.probability)  # type: ignore[no-untyped-call]
        return dropped

    def extra_repr(self) -> str:
        """What PyTorch shows of it."""
        return f"{self.probability:g}"


class _ByteDropout(torch.autograd.Function):
    """Multiplication by a mask that is drawn once, 8 elements from a 64-bit number."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, probability: float) -> Tensor:
        num_kept = max(1, round((1.0 - probability) * LEVELS))
        words = torch.empty((values.numel() + 7) // 8, dtype=torch.int64).random_(torch.iinfo(torch.int64).min, None)
        is_kept = words.view(torch.uint8)[: values.numel()] < num_kept
        mask = is_kept.view(values.shape).to(values.dtype).mul_(LEVELS / num_kept)
        ctx.save_for_backward(mask)
        return values * mask

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return gradient * mask, None
