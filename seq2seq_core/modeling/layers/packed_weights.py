"""Weight matrices in the layout that a CPU reads fastest (oneDNN's), for decoding: its products have few rows.

No product rearranges the matrix again: one of 5 rows with 8,000 columns is three times as fast, one of 320 rows a tenth faster.
Packing takes as much memory again, and some milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST = 2**16
"""Elements of the smallest matrix that is packed."""
FEWEST_PRODUCTS = 2**20
"""Multiply-adds from which on the packed matrix is faster."""


@dataclass(frozen=True)
class PackedWeight:
    """A packed copy, and what it was made from.

    Attributes:
        weight: the copy, in a layout of its own.
        address: where the original's values were.
        version: the original's number of changes in place.
    """

    weight: Tensor
    address: int
    version: int

    def is_of(self, weight: Tensor) -> bool:
        """Whether the original is still what was packed."""
        return weight.data_ptr() == self.address and weight._version == self.version


def pack(weight: Tensor) -> None:
    """Lets :func:`linear` use a packed copy of a weight that will not change; does nothing where that is no gain.

    Args:
        weight: of a linear layer.
    """
    is_fit = weight.ndim == 2 and weight.numel() >= SMALLEST and weight.dtype == torch.float32 and weight.device.type == "cpu"
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if is_fit and has_onednn and torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
        weight.packed = PackedWeight(packed, weight.data_ptr(), weight._version)  # type: ignore[attr-defined]


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The same as ``functional.linear``, up to rounding; by the packed weight if there is one and no gradient is wanted.

    Args:
        inputs: any number of leading axes.
        weight: of a linear layer.
        bias: of the same layer.
    """
    packed: PackedWeight | None = getattr(weight, "packed", None)
    if packed is None or torch.is_grad_enabled() or inputs.numel() * weight.shape[0] < FEWEST_PRODUCTS:
        return functional.linear(inputs, weight, bias)
    if inputs.dtype != torch.float32 or not packed.is_of(weight):
        return functional.linear(inputs, weight, bias)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, packed.weight, bias, "none", [], "")
    return product
