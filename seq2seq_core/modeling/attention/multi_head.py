"""Multi-head attention of a recurrent decoder.

Shapes: B batch, S source length, T target length, D width, E width of the keys, H heads, K width of a head.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.layers.attention import Attention
from seq2seq_core.modeling.layers.multi_head_attention import MultiHeadAttention


class RecurrentMultiHeadAttention(Attention):
    """Scaled dot-product attention of several heads (Vaswani 2017, section 3.2.2), asked by a recurrent decoder's states.

    The keys hold each head's keys and, behind them, its values (E = 2 D). The weights returned are the mean over the heads.

    Args:
        width: D, a multiple of ``heads``.
        heads: H.
        dropout: probability of dropping a weight in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.multi_head = MultiHeadAttention(width, heads, dropout)

    @classmethod
    def of(cls, settings: ModelSection) -> Self:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`."""
        return cls(settings.width, settings.heads, settings.dropout)

    @classmethod
    def multiply_adds(cls, settings: ModelSection, source: int, target: int) -> int:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`; of queries and outputs, keys and values."""
        return 2 * settings.width**2 * (target + source)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`."""
        return torch.cat([part_BHSK.transpose(1, 2).flatten(2) for part_BHSK in self.multi_head.project(memory_BSD)], dim=-1)

    def forward(
        self,
        query_BTD: Tensor,
        keys_BSE: Tensor,
        values_BSD: Tensor,
        padding_mask_BS: Tensor,
        coverage_BTS: Tensor | None = None,
        is_step: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`; the values are in the keys."""
        keys_BHSK, values_BHSK = (self.multi_head.split(part_BSD) for part_BSD in keys_BSE.chunk(2, dim=-1))
        return self.multi_head.attend_with_weights(query_BTD, keys_BHSK, values_BHSK, padding_mask_BS)


ATTENTION = RecurrentMultiHeadAttention
