"""Attention of a recurrent decoder over the memory: additive, general and dot.

Each scores a query against the memory's keys, masks padding and averages the memory by the softmax of the scores.
The keys do not depend on the query and are computed once a source.

Shapes: B batch, S source length, T target length, D width.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Base of the recurrent decoder's attentions: a subclass gives the keys and the scores."""

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """What the scores compare a query with, keys_BSD: by default the memory itself."""
        return memory_BSD

    def scores(self, query_BTD: Tensor, keys_BSD: Tensor) -> Tensor:
        """Unnormalised scores_BTS."""
        raise NotImplementedError

    def forward(self, query_BTD: Tensor, keys_BSD: Tensor, values_BSD: Tensor, padding_mask_BS: Tensor) -> tuple[Tensor, Tensor]:
        """Context vectors and weights.

        Args:
            query_BTD: decoder states.
            keys_BSD: from :meth:`keys`.
            values_BSD: the memory.
            padding_mask_BS: bool, True at padding.

        Returns:
            context_BTD, and weights_BTS whose rows sum to 1 and are 0 at padding.
        """
        scores_BTS = self.scores(query_BTD, keys_BSD).masked_fill(padding_mask_BS.unsqueeze(1), -math.inf)
        weights_BTS = torch.softmax(scores_BTS, dim=-1)
        return torch.bmm(weights_BTS, values_BSD), weights_BTS


class AdditiveAttention(Attention):
    """score(q, m) = v . tanh(W q + U m)  (Bahdanau 2015, appendix A.1.2).

    Args:
        width: D of queries, memory and the hidden layer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query_projection = nn.Linear(width, width, bias=False)
        self.key_projection = nn.Linear(width, width)
        self.energy = nn.Linear(width, 1, bias=False)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """See :class:`Attention`; U m."""
        projected: Tensor = self.key_projection(memory_BSD)
        return projected

    def scores(self, query_BTD: Tensor, keys_BSD: Tensor) -> Tensor:
        """See :class:`Attention`."""
        hidden_BTSD = torch.tanh(self.query_projection(query_BTD).unsqueeze(2) + keys_BSD.unsqueeze(1))
        energy_BTS: Tensor = self.energy(hidden_BTSD).squeeze(-1)
        return energy_BTS


class GeneralAttention(Attention):
    """score(q, m) = q . W m  (Luong 2015, equation 8).

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

    def scores(self, query_BTD: Tensor, keys_BSD: Tensor) -> Tensor:
        """See :class:`Attention`."""
        return torch.bmm(query_BTD, keys_BSD.transpose(1, 2))


class DotAttention(Attention):
    """score(q, m) = q . m  (Luong 2015, equation 8).

    Args:
        width: D of queries and memory; it has no parameters.
    """

    def __init__(self, width: int) -> None:
        super().__init__()

    def scores(self, query_BTD: Tensor, keys_BSD: Tensor) -> Tensor:
        """See :class:`Attention`."""
        return torch.bmm(query_BTD, keys_BSD.transpose(1, 2))


ATTENTIONS: dict[str, Callable[[int], Attention]] = {
    "additive": AdditiveAttention,
    "general": GeneralAttention,
    "dot": DotAttention,
}
"""Attentions by the value of ``model.attention``."""
