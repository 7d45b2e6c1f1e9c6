"""Multi-head scaled dot-product attention (Vaswani 2017, section 3.2); a decoder can cache projected keys and values.

Shapes: B batch, T queries, S keys, D width, H heads, K width of a head (D / H).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.modeling.layers.dropout import Dropout, draw_mask
from seq2seq_core.modeling.layers.packed_weights import linear
from seq2seq_core.modeling.layers.packing import Packing
from seq2seq_core.modeling.layers.positions import RotaryPositions


class MultiHeadAttention(nn.Module):
    """Attention whose keys and values are projected by :meth:`project`, so that a decoder can keep and extend them.

    Args:
        width: D, a multiple of ``heads``.
        heads: H.
        dropout: probability of dropping a weight in training.
        is_rotary: whether queries and keys are rotated by their positions.

    Attributes:
        has_fused_kernel: whether PyTorch's fused attention computes the same on a GPU.
    """

    has_fused_kernel = True

    def __init__(self, width: int, heads: int, dropout: float, is_rotary: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.weight_dropout = Dropout(dropout)
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
            inputs_BSD: the vectors to attend to.
            offset: position of the first one; only rotation uses it.
        """
        if self.training:
            keys_BHSK, values_BHSK = self._project_together(inputs_BSD, self.key_projection, self.value_projection)
            return self._rotate(keys_BHSK, offset), values_BHSK
        keys_BHSK = self._rotate(self.split(_project(self.key_projection, inputs_BSD)), offset)
        return keys_BHSK, self.split(_project(self.value_projection, inputs_BSD))

    def attend_self(
        self,
        inputs_BTD: Tensor,
        padding_mask_BT: Tensor | None = None,
        is_causal: bool = False,
        packing: Packing | None = None,
    ) -> Tensor:
        """Attention of a whole sequence to itself, attended_BTD: the same as :meth:`forward` of its own keys and values.

        Args:
            inputs_BTD: the sequence.
            padding_mask_BT: see :meth:`forward`.
            is_causal: see :meth:`forward`.
            packing: packing of the sequence, if it is packed, in training; it replaces the mask.
        """
        if not self.training:
            return self(inputs_BTD, *self.project(inputs_BTD), padding_mask_BT, is_causal)  # type: ignore[no-any-return]
        projections = (self.query_projection, self.key_projection, self.value_projection)
        query_BHTK, keys_BHTK, values_BHTK = self._project_together(inputs_BTD, *projections)
        asked = (self._rotate(query_BHTK, 0, packing), self._rotate(keys_BHTK, 0, packing), values_BHTK)
        if packing is not None:
            return self._merge(self._attend_packed(*asked, packing, packing, is_causal))
        return self._merge(self._attend(*asked, padding_mask_BT, is_causal))

    def forward(
        self,
        query_BTD: Tensor,
        keys_BHSK: Tensor,
        values_BHSK: Tensor,
        padding_mask_BS: Tensor | None = None,
        is_causal: bool = False,
        offset: int = 0,
        packings: tuple[Packing, Packing] | None = None,
    ) -> Tensor:
        """The attended values, projected.

        Args:
            query_BTD: inputs of the queries.
            keys_BHSK: from :meth:`project`.
            values_BHSK: from :meth:`project`.
            padding_mask_BS: bool, True at keys that no query may see; None: all may be seen.
            is_causal: whether query t sees only keys 0..t; not together with a mask.
            offset: position of the first query; only rotation uses it.
            packings: packings of queries and keys, if they are packed; they replace the mask. Not with rotation.

        Returns:
            attended_BTD.
        """
        query_BHTK = self._rotate(self.split(self._projected_query(query_BTD)), offset)
        if packings is not None:
            return self._merge(self._attend_packed(query_BHTK, keys_BHSK, values_BHSK, *packings, is_causal))
        return self._merge(self._attend(query_BHTK, keys_BHSK, values_BHSK, padding_mask_BS, is_causal))

    def attend_with_weights(
        self, query_BTD: Tensor, keys_BHSK: Tensor, values_BHSK: Tensor, padding_mask_BS: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The result of :meth:`forward` without rotation, and the weights, which the fused kernel does not give.

        Returns:
            attended_BTD, and weights_BTS averaged over the heads, before dropout.
        """
        query_BHTK = self.split(self._projected_query(query_BTD))
        scores_BHTS = torch.matmul(query_BHTK, keys_BHSK.transpose(-1, -2)) / math.sqrt(query_BHTK.size(-1))
        weights_BHTS = torch.softmax(scores_BHTS.masked_fill(padding_mask_BS[:, None, None, :], -math.inf), dim=-1)
        return self._merge(torch.matmul(self.weight_dropout(weights_BHTS), values_BHSK)), weights_BHTS.mean(dim=1)

    def attend_step(
        self, query_BTD: Tensor, keys_BHSK: Tensor, values_BHSK: Tensor, bias_B11S: Tensor | None = None, offset: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Attention in a step of a search, written out: with few queries that is faster on a CPU than the fused kernel.

        Args:
            query_BTD: inputs of the queries, all at one position.
            keys_BHSK: from :meth:`project`.
            values_BHSK: from :meth:`project`.
            bias_B11S: 0, or minus infinity at keys that no query may see; None: all may be seen.
            offset: position of the queries; only rotation uses it.

        Returns:
            attended_BTD, and each head's weights_BHTS.
        """
        query_BHTK = self._rotate(self.split(self._projected_query(query_BTD)), offset)
        scores_BHTS = torch.matmul(query_BHTK / math.sqrt(query_BHTK.size(-1)), keys_BHSK.transpose(-1, -2))
        weights_BHTS = torch.softmax(scores_BHTS if bias_B11S is None else scores_BHTS.add_(bias_B11S), dim=-1)
        return self._merge(torch.matmul(weights_BHTS, values_BHSK)), weights_BHTS

    def _attend(
        self, query_BHTK: Tensor, keys_BHSK: Tensor, values_BHSK: Tensor, padding_mask_BS: Tensor | None, is_causal: bool
    ) -> Tensor:
        """The attended values of each head, attended_BHTK."""
        if self.training and self.dropout and query_BHTK.device.type == "cpu":
            return self._attend_with_dropout(query_BHTK, keys_BHSK, values_BHSK, padding_mask_BS, is_causal)
        mask_B11S = None if padding_mask_BS is None else ~padding_mask_BS[:, None, None, :]
        dropout = self.dropout if self.training else 0.0
        return functional.scaled_dot_product_attention(
            query_BHTK, keys_BHSK, values_BHSK, attn_mask=mask_B11S, dropout_p=dropout, is_causal=is_causal
        )

    def _attend_packed(
        self,
        query_1HMK: Tensor,
        keys_1HNK: Tensor,
        values_1HNK: Tensor,
        query_packing: Packing,
        key_packing: Packing,
        is_causal: bool,
    ) -> Tensor:
        """The attended values of each head, attended_1HMK: each row's queries see the keys of their own row."""
        if self.has_fused_kernel and query_1HMK.device.type == "cuda":
            nested = functional.scaled_dot_product_attention(
                query_packing.nest(query_1HMK), key_packing.nest(keys_1HNK), key_packing.nest(values_1HNK),
                dropout_p=self.dropout if self.training else 0.0, is_causal=is_causal,
            )  # fmt: skip
            return nested.transpose(1, 2).values().transpose(0, 1).unsqueeze(0)
        padded = (query_packing.pad_heads(query_1HMK), key_packing.pad_heads(keys_1HNK), key_packing.pad_heads(values_1HNK))
        return query_packing.pack_heads(self._attend(*padded, None if is_causal else key_packing.padding_mask_BT, is_causal))

    def _attend_with_dropout(
        self, query_BHTK: Tensor, keys_BHSK: Tensor, values_BHSK: Tensor, padding_mask_BS: Tensor | None, is_causal: bool
    ) -> Tensor:
        """The same, written out: on a CPU there is no fused kernel with dropout, and PyTorch's other way is slower."""
        length, width = query_BHTK.shape[-2:]
        scores_BHTS = torch.matmul(query_BHTK, keys_BHSK.transpose(-1, -2)).div_(math.sqrt(width))
        if padding_mask_BS is not None and bool(padding_mask_BS.any()):
            scores_BHTS = scores_BHTS.masked_fill(padding_mask_BS[:, None, None, :], -math.inf)
        if is_causal:
            scores_BHTS = scores_BHTS + torch.full((length, length), -math.inf).triu_(1)
        weights_BHTS = _SoftmaxDropout.apply(scores_BHTS, self.dropout)  # type: ignore[no-untyped-call]
        attended_BHTK: Tensor = torch.matmul(weights_BHTS, values_BHSK)
        return attended_BHTK

    def _project_together(self, inputs_BSD: Tensor, *projections: nn.Linear) -> tuple[Tensor, ...]:
        """Several projections of the same inputs by one product, each (B, H, S, K)."""
        weights = torch.cat([projection.weight for projection in projections])
        biases = torch.cat([projection.bias for projection in projections])
        projected_BSE = functional.linear(inputs_BSD, weights, biases)
        heads: tuple[Tensor, ...] = _Heads.apply(projected_BSE, len(projections), self.heads)  # type: ignore[no-untyped-call]
        return heads

    def _projected_query(self, query_BTD: Tensor) -> Tensor:
        """The projected queries, not split into heads."""
        return _project(self.query_projection, query_BTD)

    def _rotate(self, projected_BHSK: Tensor, offset: int, packing: Packing | None = None) -> Tensor:
        """The queries or keys; rotated by their positions if the attention is rotary."""
        return projected_BHSK if self.rotation is None else self.rotation(projected_BHSK, offset, packing)

    def _merge(self, attended_BHTK: Tensor) -> Tensor:
        """The heads joined again and projected."""
        return _project(self.output_projection, attended_BHTK.transpose(1, 2).flatten(2))


def _project(projection: nn.Linear, inputs_BTD: Tensor) -> Tensor:
    """The projected inputs, by a packed weight if there is one."""
    return linear(inputs_BTD, projection.weight, projection.bias)


class _Heads(torch.autograd.Function):
    """Splits several joined projections into heads: from (B, S, P D) to P times (B, H, S, K).

    Autograd would join the gradients in one pass and change their order in a second one.
    """

    @staticmethod
    def forward(ctx: Any, projected_BSE: Tensor, number: int, heads: int) -> tuple[Tensor, ...]:
        batch, length, width = projected_BSE.shape
        ctx.shape = (batch, length, number, heads, width // number // heads)
        return projected_BSE.view(ctx.shape).permute(2, 0, 3, 1, 4).contiguous().unbind()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        together = gradients[0].new_empty(ctx.shape)
        for number, gradient_BHSK in enumerate(gradients):
            together[:, :, number].copy_(gradient_BHSK.transpose(1, 2))
        return together.flatten(2), None, None


class _SoftmaxDropout(torch.autograd.Function):
    """The softmax over the last axis with dropout, on a CPU: PyTorch's own softmax is several times slower over short axes."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, probability: float) -> Tensor:
        weights = (scores - scores.amax(dim=-1, keepdim=True)).exp_()
        weights.div_(weights.sum(dim=-1, keepdim=True))
        mask = draw_mask(weights, probability)
        ctx.save_for_backward(weights, mask)
        return weights * mask

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        weights, mask = ctx.saved_tensors
        by_score = (gradient * mask).mul_(weights)
        return by_score.sub_(weights * by_score.sum(dim=-1, keepdim=True)), None
