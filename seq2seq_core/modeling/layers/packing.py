"""Batches without their padding: the valid positions of all rows one after another, as a batch of a single row.

Layers that treat each position by itself then skip padding; attention gets the beginning of each row.

Shapes: B batch, T padded length, N valid positions of all rows together, D width, H heads, K width of a head.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Packing:
    """The places of the valid positions of a padded batch.

    Attributes:
        places_N: int64, the places of the valid positions in the padded batch's B * T.
        padding_mask_BT: bool, True at padding.
    """

    places_N: Tensor
    padding_mask_BT: Tensor

    @classmethod
    def of(cls, padding_mask_BT: Tensor, num_valid: int) -> Packing:
        """The packing of a batch.

        Args:
            padding_mask_BT: bool, True at padding.
            num_valid: N; otherwise it would have to be read back from a GPU.
        """
        return cls(torch.nonzero_static(~padding_mask_BT.flatten(), size=num_valid).squeeze(1), padding_mask_BT)

    @cached_property
    def positions_N(self) -> Tensor:
        """The valid positions within their rows; int64."""
        return self.places_N % self.padding_mask_BT.size(1)

    @cached_property
    def offsets_B1(self) -> Tensor:
        """The beginning of each row among the N, and the end of the last; int64."""
        return functional.pad((~self.padding_mask_BT).sum(dim=1).cumsum(dim=0), (1, 0))

    def pack(self, padded_BTD: Tensor) -> Tensor:
        """The valid positions, packed_1ND; gradients at padding are 0."""
        packed: Tensor = _Pack.apply(padded_BTD.flatten(0, 1), self.places_N)  # type: ignore[no-untyped-call]
        return packed.unsqueeze(0)

    def unpack(self, packed_1ND: Tensor) -> Tensor:
        """The padded batch, padded_BTD, with 0 at padding."""
        batch, length = self.padding_mask_BT.shape
        padded: Tensor = _Unpack.apply(packed_1ND.squeeze(0), self.places_N, batch * length)  # type: ignore[no-untyped-call]
        return padded.view(batch, length, packed_1ND.size(-1))

    def nest(self, heads_1HNK: Tensor) -> Tensor:
        """The queries, keys or values of each head as a nested tensor (B, H, length of the row, K), which fused attention takes.

        Args:
            heads_1HNK: packed, head by head.
        """
        values_NHK, length = heads_1HNK.squeeze(0).transpose(0, 1).contiguous(), self.padding_mask_BT.size(1)
        nested = torch.nested.nested_tensor_from_jagged(values_NHK, self.offsets_B1, min_seqlen=1, max_seqlen=length)
        return nested.transpose(1, 2)

    def pad_heads(self, heads_1HNK: Tensor) -> Tensor:
        """The queries, keys or values of each head with padding, (B, H, T, K)."""
        _, heads, _, width = heads_1HNK.shape
        padded_BTD = self.unpack(heads_1HNK.transpose(1, 2).flatten(2))
        return padded_BTD.view(*self.padding_mask_BT.shape, heads, width).transpose(1, 2)

    def pack_heads(self, heads_BHTK: Tensor) -> Tensor:
        """The valid positions of each head, (1, H, N, K): undoes :meth:`pad_heads`."""
        _, heads, _, width = heads_BHTK.shape
        return self.pack(heads_BHTK.transpose(1, 2).flatten(2)).view(1, -1, heads, width).transpose(1, 2)


class _Pack(torch.autograd.Function):
    """Rows at some places. Autograd's own gradient of indexing would add rows up, as if places could repeat."""

    @staticmethod
    def forward(ctx: Any, rows_RD: Tensor, places_N: Tensor) -> Tensor:
        ctx.save_for_backward(places_N)
        ctx.num_rows = rows_RD.size(0)
        return rows_RD.index_select(0, places_N)

    @staticmethod
    def backward(ctx: Any, gradient_ND: Tensor) -> tuple[Tensor, None]:
        (places_N,) = ctx.saved_tensors
        return _spread(gradient_ND, places_N, ctx.num_rows), None


class _Unpack(torch.autograd.Function):
    """The reverse: puts rows at some places, and 0 at all others."""

    @staticmethod
    def forward(ctx: Any, rows_ND: Tensor, places_N: Tensor, num_rows: int) -> Tensor:
        ctx.save_for_backward(places_N)
        return _spread(rows_ND, places_N, num_rows)

    @staticmethod
    def backward(ctx: Any, gradient_RD: Tensor) -> tuple[Tensor, None, None]:
        (places_N,) = ctx.saved_tensors
        return gradient_RD.index_select(0, places_N), None, None


def _spread(rows_ND: Tensor, places_N: Tensor, num_rows: int) -> Tensor:
    """Rows at their places, (num_rows, D), with 0 elsewhere."""
    return rows_ND.new_zeros(num_rows, rows_ND.size(1)).index_copy_(0, places_N, rows_ND)
