"""Attention of a recurrent decoder over the memory: additive, general, dot and multi-head.

Each scores a query against the memory's keys, masks padding and averages the memory by the softmax of the scores.
The keys do not depend on the query and are computed once a source.

Shapes: B batch, S source length, T target length, D width, E width of the keys, H heads, K width of a head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.layers.multi_head_attention import MultiHeadAttention


class Attention(nn.Module):
    """Base of the recurrent decoder's attentions: a subclass gives the keys and the scores."""

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """What the scores compare a query with, keys_BSE: by default the memory itself."""
        return memory_BSD

    def scores(self, query_BTD: Tensor, keys_BSE: Tensor, coverage_BS: Tensor | None) -> Tensor:
        """Unnormalised scores_BTS."""
        raise NotImplementedError

    def forward(
        self,
        query_BTD: Tensor,
        keys_BSE: Tensor,
        values_BSD: Tensor,
        padding_mask_BS: Tensor,
        coverage_BS: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Context vectors and weights.

        Args:
            query_BTD: decoder states.
            keys_BSE: from :meth:`keys`.
            values_BSD: the memory.
            padding_mask_BS: bool, True at padding.
            coverage_BS: the sum of the weights at all earlier target positions, for an attention that uses it (T is then 1).

        Returns:
            context_BTD, and weights_BTS whose rows sum to 1 and are 0 at padding.
        """
        scores_BTS = self.scores(query_BTD, keys_BSE, coverage_BS).masked_fill(padding_mask_BS.unsqueeze(1), -math.inf)
        weights_BTS = torch.softmax(scores_BTS, dim=-1)
        return torch.bmm(weights_BTS, values_BSD), weights_BTS


class AdditiveAttention(Attention):
    """score(q, m) = v . tanh(W q + U m + w c)  (Bahdanau 2015, appendix A.1.2; with the coverage c: See 2017, equation 11).

    Args:
        width: D of queries, memory and the hidden layer.
        has_coverage: whether the coverage is part of the score; without it the last term is left out.
    """

    def __init__(self, width: int, has_coverage: bool = False) -> None:
        super().__init__()
        self.query_projection = nn.Linear(width, width, bias=False)
        self.key_projection = nn.Linear(width, width)
        self.energy = nn.Linear(width, 1, bias=False)
        self.coverage_projection = nn.Linear(1, width, bias=False) if has_coverage else None

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """See :class:`Attention`; U m."""
        projected: Tensor = self.key_projection(memory_BSD)
        return projected

    def scores(self, query_BTD: Tensor, keys_BSE: Tensor, coverage_BS: Tensor | None) -> Tensor:
        """See :class:`Attention`."""
        if self.coverage_projection is not None:
            assert coverage_BS is not None, "the decoder keeps it"
            keys_BSE = keys_BSE + self.coverage_projection(coverage_BS.unsqueeze(-1))
        hidden_BTSD = torch.tanh(self.query_projection(query_BTD).unsqueeze(2) + keys_BSE.unsqueeze(1))
        energy_BTS: Tensor = self.energy(hidden_BTSD).squeeze(-1)
        return energy_BTS


class DotAttention(Attention):
    """score(q, m) = q . m  (Luong 2015, equation 8)."""

    def scores(self, query_BTD: Tensor, keys_BSE: Tensor, coverage_BS: Tensor | None) -> Tensor:
        """See :class:`Attention`."""
        return torch.bmm(query_BTD, keys_BSE.transpose(1, 2))


class GeneralAttention(DotAttention):
    """score(q, m) = q . W m  (Luong 2015, equation 8): the dot product with projected keys.

    Args:
        width: D of queries and memory.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.key_projection = nn.Linear(width, width, bias=False)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """See :class:`Attention`; W m."""
        projected: Tensor = self.key_projection(memory_BSD)
        return projected


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

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """See :class:`Attention`."""
        return torch.cat([part_BHSK.transpose(1, 2).flatten(2) for part_BHSK in self.multi_head.project(memory_BSD)], dim=-1)

    def forward(
        self,
        query_BTD: Tensor,
        keys_BSE: Tensor,
        values_BSD: Tensor,
        padding_mask_BS: Tensor,
        coverage_BS: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See :class:`Attention`; the values are in the keys."""
        keys_BHSK, values_BHSK = (self.multi_head.split(part_BSD) for part_BSD in keys_BSE.chunk(2, dim=-1))
        return self.multi_head.attend_with_weights(query_BTD, keys_BHSK, values_BHSK, padding_mask_BS)


def build_attention(settings: ModelSection) -> Attention | None:
    """The attention of a recurrent decoder, or None for a decoder without one.

    Args:
        settings: ``attention``, ``coverage``, ``width``, ``heads`` and ``dropout``.
    """
    match settings.attention:
        case "none":
            return None
        case "dot":
            return DotAttention()
        case "general":
            return GeneralAttention(settings.width)
        case "additive":
            return AdditiveAttention(settings.width, settings.coverage)
        case "multi_head":
            return RecurrentMultiHeadAttention(settings.width, settings.heads, settings.dropout)
