"""Multi-head scaled dot-product attention (Vaswani 2017, section 3.2), with the projections and a cache kept apart.

Shapes: B batch, T queries, S keys, D width, H heads, K width of a head (D / H).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.modeling.positions import RotaryPositions


class MultiHeadAttention(nn.Module):
    """Attention whose keys and values are projected by :meth:`project`, so that a decoder can keep and extend them.

    Args:
        width: D, a multiple of ``heads``.
        heads: H.
        dropout: probability of dropping a weight in training.
        is_rotary: whether queries and keys are rotated by their positions.
    """

    def __init__(self, width: int, heads: int, dropout: float, is_rotary: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query_projection = nn.Linear(width, width)
        self.key_projection = nn.Linear(width, width)
        self.value_projection = nn.Linear(width, width)
        self.output_projection = nn.Linear(width, width)
        self.rotation = RotaryPositions(width // heads) if is_rotary else None
        for projection in (self.query_projection, self.key_projection, self.value_projection, self.output_projection):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def split(self, projected_BSD: Tensor) -> Tensor:
        """The heads as an axis: (B, S, D) to (B, H, S, K)."""
        batch, length, width = projected_BSD.shape
        return projected_BSD.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def project(self, inputs_BSD: Tensor, offset: int = 0) -> tuple[Tensor, Tensor]:
        """Keys and values of the inputs, each (B, H, S, K).

        Args:
            inputs_BSD: what is attended to.
            offset: position of the first one; only rotation asks for it.
        """
        keys_BHSK = self._rotate(self.split(self.key_projection(inputs_BSD)), offset)
        return keys_BHSK, self.split(self.value_projection(inputs_BSD))

    def forward(
        self,
        query_BTD: Tensor,
        keys_BHSK: Tensor,
        values_BHSK: Tensor,
        padding_mask_BS: Tensor | None = None,
        is_causal: bool = False,
        offset: int = 0,
    ) -> Tensor:
        """The attended values, projected.

        Args:
            query_BTD: inputs that ask.
            keys_BHSK: from :meth:`project`.
            values_BHSK: from :meth:`project`.
            padding_mask_BS: bool, True at keys that no query may see; None: all may be seen.
            is_causal: whether query t sees only keys 0..t; not together with a mask.
            offset: position of the first query; only rotation asks for it.

        Returns:
            attended_BTD.
        """
        query_BHTK = self._rotate(self.split(self.query_projection(query_BTD)), offset)
        mask_B11S = None if padding_mask_BS is None else ~padding_mask_BS[:, None, None, :]
        attended_BHTK = functional.scaled_dot_product_attention(
            query_BHTK,
            keys_BHSK,
            values_BHSK,
            attn_mask=mask_B11S,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=is_causal,
        )
        return self._merge(attended_BHTK)

    def attend_with_weights(
        self, query_BTD: Tensor, keys_BHSK: Tensor, values_BHSK: Tensor, padding_mask_BS: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The same as :meth:`forward` of an attention that does not rotate, and the weights, which the fused kernel does not give.

        Returns:
            attended_BTD, and weights_BTS averaged over the heads, before dropout.
        """
        query_BHTK = self.split(self.query_projection(query_BTD))
        scores_BHTS = torch.matmul(query_BHTK, keys_BHSK.transpose(-1, -2)) / math.sqrt(query_BHTK.size(-1))
        weights_BHTS = torch.softmax(scores_BHTS.masked_fill(padding_mask_BS[:, None, None, :], -math.inf), dim=-1)
        kept_BHTS = functional.dropout(weights_BHTS, self.dropout, self.training)
        return self._merge(torch.matmul(kept_BHTS, values_BHSK)), weights_BHTS.mean(dim=1)

    def _rotate(self, projected_BHSK: Tensor, offset: int) -> Tensor:
        """The queries or keys, rotated by their positions where the attention does that."""
        return projected_BHSK if self.rotation is None else self.rotation(projected_BHSK, offset)

    def _merge(self, attended_BHTK: Tensor) -> Tensor:
        """The heads joined again and projected."""
        merged: Tensor = self.output_projection(attended_BHTK.transpose(1, 2).flatten(2))
        return merged
