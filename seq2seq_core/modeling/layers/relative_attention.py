"""Self-attention that knows distances in place of positions: nothing is added to the inputs.

Shapes: B batch, H heads, T queries, S keys, D width, K width of a head, R distances.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.layers.multi_head_attention import MultiHeadAttention
from seq2seq_core.modeling.layers.positions import SinusoidTable


class RelativeAttention(MultiHeadAttention):
    """Self-attention whose scores depend on the distance of key and query; the base of both kinds."""

    has_fused_kernel = False

    def attend_step(
        self, query_BTD: Tensor, keys_BHSK: Tensor, values_BHSK: Tensor, bias_B11S: Tensor | None = None, offset: int = 0
    ) -> tuple[Tensor, Tensor]:
        """See :class:`~seq2seq_core.modeling.layers.multi_head_attention.MultiHeadAttention`; the keys begin at position 0."""
        query_BHTK = self.split(self._projected_query(query_BTD))
        distance_TS = _distances(offset, 1, keys_BHSK.size(2), query_BTD.device)  # all queries are at one position
        scores_BHTS = self._scores(query_BHTK, keys_BHSK, distance_TS)
        weights_BHTS = torch.softmax(scores_BHTS if bias_B11S is None else scores_BHTS + bias_B11S, dim=-1)
        return self._merge(self._weighted(weights_BHTS, values_BHSK, distance_TS)), weights_BHTS

    def _attend(
        self, query_BHTK: Tensor, keys_BHSK: Tensor, values_BHSK: Tensor, padding_mask_BS: Tensor | None, is_causal: bool
    ) -> Tensor:
        """The attended values of each head, attended_BHTK; queries and keys both begin at position 0."""
        num_queries, num_keys = query_BHTK.size(2), keys_BHSK.size(2)
        distance_TS = _distances(0, num_queries, num_keys, query_BHTK.device)
        scores_BHTS = self._scores(query_BHTK, keys_BHSK, distance_TS)
        if padding_mask_BS is not None:
            scores_BHTS = scores_BHTS.masked_fill(padding_mask_BS[:, None, None, :], -math.inf)
        if is_causal:
            scores_BHTS = scores_BHTS.masked_fill(distance_TS > 0, -math.inf)
        return self._weighted(self.weight_dropout(torch.softmax(scores_BHTS, dim=-1)), values_BHSK, distance_TS)

    def _scores(self, query_BHTK: Tensor, keys_BHSK: Tensor, distance_TS: Tensor) -> Tensor:
        """The scores_BHTS.

        Args:
            query_BHTK: the queries.
            keys_BHSK: the keys.
            distance_TS: int64, position of each key minus that of each query; a single row holds for all queries.
        """
        raise NotImplementedError

    def _weighted(self, weights_BHTS: Tensor, values_BHSK: Tensor, distance_TS: Tensor) -> Tensor:
        """The attended values of each head, attended_BHTK."""
        return torch.matmul(weights_BHTS, values_BHSK)


class LearnedDistances(RelativeAttention):
    """score(i, j) = q_i . (k_j + a_r) / sqrt(K), output_i = sum over j of weight(i, j) * (v_j + b_r), where r is j - i clipped.

    (Shaw 2018, equations 3 and 4.) The vectors a and b are shared by the heads of a layer.

    Args:
        width: D, a multiple of ``heads``.
        heads: H.
        dropout: probability of dropping a weight in training.
        max_distance: the largest distance with vectors of its own, in each direction; greater ones count as it.
    """

    def __init__(self, width: int, heads: int, dropout: float, max_distance: int) -> None:
        super().__init__(width, heads, dropout)
        self.max_distance = max_distance
        shape = (2 * max_distance + 1, width // heads)
        self.distance_keys_RK = nn.Parameter(nn.init.xavier_uniform_(torch.empty(shape)))
        self.distance_values_RK = nn.Parameter(nn.init.xavier_uniform_(torch.empty(shape)))

    def _scores(self, query_BHTK: Tensor, keys_BHSK: Tensor, distance_TS: Tensor) -> Tensor:
        """See :class:`RelativeAttention`."""
        scaled_BHTK = query_BHTK / math.sqrt(query_BHTK.size(-1))
        by_distance_BHTR = torch.matmul(scaled_BHTK, self.distance_keys_RK.t())
        index_BHTS = self._rows(distance_TS).expand(*query_BHTK.shape[:3], distance_TS.size(1))
        return torch.matmul(scaled_BHTK, keys_BHSK.transpose(-1, -2)) + by_distance_BHTR.gather(-1, index_BHTS)

    def _weighted(self, weights_BHTS: Tensor, values_BHSK: Tensor, distance_TS: Tensor) -> Tensor:
        """The attended_BHTK: the weighted sum of the values and of the vectors of their distances."""
        by_distance_BHTR = weights_BHTS.new_zeros(*weights_BHTS.shape[:3], len(self.distance_values_RK))
        by_distance_BHTR = by_distance_BHTR.scatter_add(-1, self._rows(distance_TS).expand_as(weights_BHTS), weights_BHTS)
        return torch.matmul(weights_BHTS, values_BHSK) + torch.matmul(by_distance_BHTR, self.distance_values_RK)

    def _rows(self, distance_TS: Tensor) -> Tensor:
        """The row of each distance among the R."""
        return distance_TS.clamp(-self.max_distance, self.max_distance) + self.max_distance


class SinusoidalDistances(RelativeAttention):
    """score(i, j) = ((q_i + u) . k_j + (q_i + v) . W r_(i - j)) / sqrt(K)  (Dai 2019, section 3.3), r being sinusoids.

    Distances that training has not seen are still told apart, and no distance is the largest.

    Args:
        width: D, a multiple of ``heads``, even.
        heads: H.
        dropout: probability of dropping a weight in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__(width, heads, dropout)
        self.sinusoids = SinusoidTable(width)
        self.distance_projection = nn.Linear(width, width, bias=False)
        nn.init.xavier_uniform_(self.distance_projection.weight)
        self.content_bias_H1K = nn.Parameter(torch.zeros(heads, 1, width // heads))
        self.distance_bias_H1K = nn.Parameter(torch.zeros(heads, 1, width // heads))

    def _scores(self, query_BHTK: Tensor, keys_BHSK: Tensor, distance_TS: Tensor) -> Tensor:
        """See :class:`RelativeAttention`."""
        length = max(keys_BHSK.size(2), query_BHTK.size(2))  # a step's only query is at the last key
        rows_SD = self.sinusoids.rows(0, length, query_BHTK)
        ahead_SD = torch.stack([-rows_SD[:, 0::2], rows_SD[:, 1::2]], dim=-1).flatten(1)  # of negative distances i - j
        rows_RD = torch.cat([rows_SD.flip(0), ahead_SD[1:]])  # from length - 1 down to 1 - length, as j - i goes up
        rows_HRK = self.split(self.distance_projection(rows_RD).unsqueeze(0))[0]
        scale = 1.0 / math.sqrt(query_BHTK.size(-1))
        by_distance_BHTR = torch.matmul((query_BHTK + self.distance_bias_H1K) * scale, rows_HRK.transpose(-1, -2))
        index_BHTS = (distance_TS + length - 1).expand(*query_BHTK.shape[:3], distance_TS.size(1))
        by_content_BHTS = torch.matmul((query_BHTK + self.content_bias_H1K) * scale, keys_BHSK.transpose(-1, -2))
        return by_content_BHTS + by_distance_BHTR.gather(-1, index_BHTS)


def _distances(first: int, num_queries: int, num_keys: int, device: torch.device) -> Tensor:
    """The position of each key minus that of each query, distance_TS int64.

    Args:
        first: position of the first query.
        num_queries: T.
        num_keys: S; their positions begin at 0.
        device: of the result.
    """
    queries_T1 = torch.arange(first, first + num_queries, device=device).unsqueeze(1)
    return torch.arange(num_keys, device=device) - queries_T1
