"""Dropout (Srivastava 2014) that draws 8 random bits per element on a CPU, where random numbers are a large part of its cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 256
"""Values of 8 bits: the probability of dropping is a multiple of 1 / 256."""
_ONES = 0x0101010101010101
_LOW_BITS = 0x7F7F7F7F7F7F7F7F


class Dropout(nn.Module):
    """In training, sets each element to 0 with a probability and divides the others by the probability of keeping them.

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

    def add_to(self, residual: Tensor, values: Tensor) -> Tensor:
        """The residual plus the values with some of them dropped, in one pass.

        Args:
            residual: what is added to.
            values: of the same shape.
        """
        if not self.training or not self.probability or values.device.type != "cpu":
            plain: Tensor = residual + self(values)
            return plain
        added: Tensor = _ByteDropoutAdd.apply(residual, values, self.probability)  # type: ignore[no-untyped-call]
        return added

    def extra_repr(self) -> str:
        """The settings that PyTorch shows for the module."""
        return f"{self.probability:g}"


class _ByteDropout(torch.autograd.Function):
    """Multiplication by a mask that is drawn once."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, probability: float) -> Tensor:
        mask = draw_mask(values, probability)
        ctx.save_for_backward(mask)
        return values * mask

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return gradient * mask, None


class _ByteDropoutAdd(torch.autograd.Function):
    """The same, added to a residual."""

    @staticmethod
    def forward(ctx: Any, residual: Tensor, values: Tensor, probability: float) -> Tensor:
        mask = draw_mask(values, probability)
        ctx.save_for_backward(mask)
        return torch.addcmul(residual, values, mask)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        (mask,) = ctx.saved_tensors
        return gradient, gradient * mask, None


def keep_factor(probability: float) -> float:
    """The factor on kept elements on a CPU: 1 over the probability of keeping one.

    Args:
        probability: probability of dropping one.
    """
    return LEVELS / _num_kept(probability)


def draw_mask(like: Tensor, probability: float) -> Tensor:
    """0 where an element is dropped, else :func:`keep_factor`; 8 elements from a 64-bit random number.

    Args:
        like: gives the shape and the type of the mask; on a CPU.
        probability: probability of dropping an element.
    """
    is_kept = _draw_bytes(like.numel(), _num_kept(probability))[: like.numel()].view(like.shape)
    if like.dtype != torch.float32:
        return is_kept.to(like.dtype).mul_(keep_factor(probability))
    # Integers are the fastest way in PyTorch: 0 or 1 times the bits of the factor are the bits of 0.0 or the factor.
    bits = int(torch.tensor(keep_factor(probability)).view(torch.int32))
    return is_kept.to(torch.int32).mul_(bits).view(torch.float32)


def _draw_bytes(number: int, num_kept: int) -> Tensor:
    """At least ``number`` bytes, uint8: 1 with a probability of ``num_kept`` / 256, else 0; from PyTorch's random stream.

    NumPy's generator is faster than PyTorch's. 8 bytes are compared at a time: the low 7 bits of a byte are at most u if adding
    127 - u to them leaves the highest bit clear.
    """
    seed = int(torch.empty((), dtype=torch.int64).random_())
    drawn = np.random.Generator(np.random.SFC64(seed)).integers(-(2**63), 2**63, size=-(-number // 8), dtype=np.int64)
    words = torch.from_numpy(drawn)
    most = num_kept - 1
    is_above = torch.bitwise_and(words, _LOW_BITS).add_((127 - most % 128) * _ONES)  # in the highest bit of each byte
    if most < 128:
        is_above.bitwise_or_(words)
    else:
        is_above.bitwise_and_(words)
    return is_above.bitwise_not_().bitwise_right_shift_(7).bitwise_and_(_ONES).view(torch.uint8)


def _num_kept(probability: float) -> int:
    """The number of 8-bit values that keep an element."""
    return max(1, round((1.0 - probability) * LEVELS))
