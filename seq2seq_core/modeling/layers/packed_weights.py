"""Weight matrices in the layout that a CPU reads fastest (oneDNN's), for decoding: its products have few rows.

No product rearranges the matrix again: one of 5 rows with 8,000 columns is three times as fast, one of 320 rows a tenth faster.
Packing takes as much memory again, and some milliseconds. A matrix may also be packed at 8 bits
(:mod:`~seq2seq_core.modeling.layers.quantized_weight`), which is faster still and less exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.modeling.layers.quantized_weight import QuantizedWeight

SMALLEST = 2**16
"""Elements of the smallest matrix that is packed."""
FEWEST_PRODUCTS = 2**20
"""Multiply-adds from which on the packed matrix is faster."""


class Packed(Protocol):
    """A copy of a weight that computes its products."""

    def product(self, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The inputs times the weight, plus the bias.

        Args:
            inputs: float32, any number of leading axes.
            weight: the original.
            bias: of the same layer.
        """


@dataclass(frozen=True)
class PackedWeight:
    """A packed copy at float32.

    Attributes:
        weight: the copy, in a layout of its own.
    """

    weight: Tensor

    def product(self, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """See :class:`Packed`; by the original where that is faster."""
        if inputs.numel() * weight.shape[0] < FEWEST_PRODUCTS:
            return functional.linear(inputs, weight, bias)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self.weight, bias, "none", [], "")
        return product


@dataclass(frozen=True)
class PackedCopy:
    """A packed copy, and what it was made from.

    Attributes:
        packed: the copy.
        address: where the original's values were.
        version: the original's number of changes in place.
    """

    packed: Packed
    address: int
    version: int

    def is_of(self, weight: Tensor) -> bool:
        """Whether the original is still what was packed."""
        return weight.data_ptr() == self.address and weight._version == self.version


def pack(weight: Tensor, is_quantized: bool = False) -> None:
    """Lets :func:`linear` use a packed copy of a weight that will not change; does nothing where that is no gain.

    Args:
        weight: of a linear layer.
        is_quantized: whether the copy has 8 bits; then it is what computes on every CPU.
    """
    if not (weight.ndim == 2 and weight.numel() >= SMALLEST and weight.dtype == torch.float32 and weight.device.type == "cpu"):
        return
    packed: Packed
    if is_quantized:
        packed = QuantizedWeight.of(weight.detach())
    elif _packs_at_float32():
        packed = PackedWeight(torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None))
    else:
        return
    weight.packed = PackedCopy(packed, weight.data_ptr(), weight._version)  # type: ignore[attr-defined]


def _packs_at_float32() -> bool:
    """Whether oneDNN has a faster layout on this CPU."""
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return has_onednn and torch.backends.cpu.get_cpu_capability().startswith("AVX")


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The same as ``functional.linear``, up to rounding; by the packed weight if there is one and no gradient is wanted.

    Args:
        inputs: any number of leading axes.
        weight: of a linear layer.
        bias: of the same layer.
    """
    copy: PackedCopy | None = getattr(weight, "packed", None)
    if copy is None or torch.is_grad_enabled() or inputs.dtype != torch.float32 or not copy.is_of(weight):
        return functional.linear(inputs, weight, bias)
    return copy.packed.product(inputs, weight, bias)
