"""The cache of a decoder's self-attention: keys and values of the target so far.

Shapes: N rows being decoded, H heads, C positions that there is room for, T positions so far, K width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST_GROWTH = 4
"""Positions; a larger cache grows by a quarter of its size."""

KeysValues = tuple[Tensor, Tensor]
"""Projected keys and values of one attention, each (N, H, length, K)."""


class KeyValueCache:
    """Keys and values in tensors with room for more positions, which are written in place where no gradient is wanted.

    Rows are exchanged between two sets of tensors: new ones at each step would cost more than the copy.

    Args:
        keys_NHTK: of the positions so far.
        values_NHTK: likewise.

    Attributes:
        length: T.
    """

    def __init__(self, keys_NHTK: Tensor, values_NHTK: Tensor) -> None:
        self.length = keys_NHTK.size(2)
        self._stored = [keys_NHTK, values_NHTK]
        self._spare: list[Tensor] = []

    @property
    def num_rows(self) -> int:
        """N."""
        return self._stored[0].size(0)

    def append(self, keys_NH1K: Tensor, values_NH1K: Tensor) -> KeysValues:
        """Adds one position; returns the keys and values of all, that one included."""
        if torch.is_grad_enabled():
            pairs = zip(self._stored, (keys_NH1K, values_NH1K), strict=True)
            self._stored = [torch.cat([stored_NHTK, new_NH1K], dim=2) for stored_NHTK, new_NH1K in pairs]
            self.length += 1
            return self._stored[0], self._stored[1]
        if self.length == self._stored[0].size(2):
            self._grow()
        self.length += 1
        for stored_NHCK, new_NH1K in zip(self._stored, (keys_NH1K, values_NH1K), strict=True):
            stored_NHCK[:, :, self.length - 1 : self.length] = new_NH1K
        keys_NHTK, values_NHTK = (stored_NHCK[:, :, : self.length] for stored_NHCK in self._stored)
        return keys_NHTK, values_NHTK

    def select(self, rows_N: Tensor) -> None:
        """Goes on with the given rows (int64), in the given order."""
        old = self._stored
        if rows_N.size(0) != self.num_rows or torch.is_grad_enabled():
            self._stored, self._spare = [stored.index_select(0, rows_N) for stored in old], []
            return
        new = self._spare or [torch.empty_like(stored) for stored in old]
        for stored_NHCK, other_NHCK in zip(old, new, strict=True):
            torch.index_select(stored_NHCK, 0, rows_N, out=other_NHCK)
        self._stored, self._spare = new, old

    def _grow(self) -> None:
        """Makes room for more positions."""
        for place, stored_NHCK in enumerate(self._stored):
            rows, heads, room, width = stored_NHCK.shape
            larger = stored_NHCK.new_empty(rows, heads, room + max(SMALLEST_GROWTH, room // 4), width)
            larger[:, :, :room] = stored_NHCK
            self._stored[place] = larger
        self._spare = []
