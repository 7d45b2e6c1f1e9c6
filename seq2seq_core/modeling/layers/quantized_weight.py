"""Weight matrices at 8 bits, for decoding: products of integers of 8 bits, and the rest at float32.

Each row of a matrix is divided by its largest element, and so is each row of the inputs, whose product then depends on no other
row: a sentence gets the same output alone or in any batch. The sums of integers are exact.

Shapes: N rows of inputs, D columns of the weight, V rows of the weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

LARGEST = 127
"""The integer that stands for the largest element of a row."""
ZERO = 128
"""The integer that stands for 0 in inputs, which have no sign."""


@dataclass(frozen=True)
class QuantizedWeight:
    """A weight matrix at 8 bits.

    Attributes:
        weight_VD: the integers: in oneDNN's layout, or as float32 where the CPU has no instructions for them.
        scales_V: what an integer of a row is worth.
        zeros_V: the integer of each row that stands for 0.
        is_fast: whether the CPU has the instructions (VNNI). Without them the same sums are computed at float32.
    """

    weight_VD: Tensor
    scales_V: Tensor
    zeros_V: Tensor
    is_fast: bool

    @classmethod
    def of(cls, weight_VD: Tensor) -> Self:
        """A weight at 8 bits; the same for the same weight.

        Args:
            weight_VD: at float32.
        """
        scales_V = _largest(weight_VD).squeeze(1) / LARGEST
        integers_VD = torch.round(weight_VD / scales_V.unsqueeze(1))
        is_fast = has_fast_products()
        packed = torch.ops.onednn.qlinear_prepack(integers_VD.to(torch.int8), None) if is_fast else integers_VD
        return cls(packed, scales_V, torch.zeros(len(scales_V), dtype=torch.int32), is_fast)

    def product(self, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """See :class:`~seq2seq_core.modeling.layers.packed_weights.Packed`."""
        inputs_ND = inputs.reshape(-1, inputs.shape[-1])
        largest_N1 = _largest(inputs_ND)
        # Cut to integers, these are the rounded ones.
        unsigned_ND = torch.addcdiv(inputs_ND.new_tensor(ZERO + 0.5), inputs_ND, largest_N1, value=LARGEST)
        product_NV = self._multiply(unsigned_ND) if self.is_fast else self._multiply_as_floats(unsigned_ND)
        product_NV *= largest_N1
        if bias is not None:
            product_NV += bias
        return product_NV.view(*inputs.shape[:-1], -1)

    def _multiply(self, unsigned_ND: Tensor) -> Tensor:
        """The product with inputs from -1 to 1, of which integers are given."""
        of_inputs, of_outputs = (unsigned_ND.to(torch.uint8), 1 / LARGEST, ZERO), (1.0, 0, torch.float32)
        product_NV: Tensor = torch.ops.onednn.qlinear_pointwise(
            *of_inputs, self.weight_VD, self.scales_V, self.zeros_V, None, *of_outputs, "none", [], ""
        )
        return product_NV

    def _multiply_as_floats(self, unsigned_ND: Tensor) -> Tensor:
        """The same, by integers that are stored as float32."""
        return functional.linear(unsigned_ND.floor_().sub_(ZERO), self.weight_VD).mul_(self.scales_V / LARGEST)


def has_fast_products() -> bool:
    """Whether the CPU multiplies integers of 8 bits faster than floats, and without overflow."""
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return has_onednn and torch.cpu._is_vnni_supported()


def _largest(rows_ND: Tensor) -> Tensor:
    """The largest absolute value of each row, (N, 1); a tiny one for a row of zeros."""
    return rows_ND.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
