"""Self-attention with relative positions (Shaw 2018): a learned vector for each distance joins the keys, another one the values.

Nothing is added to the inputs, so that a sequence longer than those of train has no unknown position: distances beyond the largest
count as the largest.

Shapes: B batch, H heads, T queries, S keys, K width of a head, R distances (2 * largest + 1), M packed queries, N packed keys.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.layers.multi_head_attention import MultiHeadAttention
from seq2seq_core.modeling.layers.packing import Packing


class RelativeAttention(MultiHeadAttention):
    """score(i, j) = q_i . (k_j + a_r) / sqrt(K), output_i = sum over j of weight(i, j) * (v_j + b_r), where r is j - i clipped.

    (Shaw 2018, equations 3 and 4.) The vectors a and b are shared by the heads of a layer.

    Args:
        width: D, a multiple of ``heads``.
        heads: H.
        dropout: probability of dropping a weight in training.
        max_distance: the largest distance with vectors of its own, in each direction.
    """

    def __init__(self, width: int, heads: int, dropout: float, max_distance: int) -> None:
        super().__init__(width, heads, dropout)
        self.max_distance = max_distance
        shape = (2 * max_distance + 1, width // heads)
        self.distance_keys_RK = nn.Parameter(nn.init.xavier_uniform_(torch.empty(shape)))
        self.distance_values_RK = nn.Parameter(nn.init.xavier_uniform_(torch.empty(shape)))

    def attend_step(
        self, query_BTD: Tensor, keys_BHSK: Tensor, values_BHSK: Tensor, bias_B11S: Tensor | None = None, offset: int = 0
    ) -> tuple[Tensor, Tensor]:
        """See :class:`~seq2seq_core.modeling.layers.multi_head_attention.MultiHeadAttention`; the keys begin at position 0."""
        query_BHTK = self.split(self._projected_query(query_BTD))
        distances_TS = self._distances(offset, 1, keys_BHSK.size(2), query_BTD.device)  # all queries are at one position
        scores_BHTS = self._scores(query_BHTK, keys_BHSK, distances_TS)
        weights_BHTS = torch.softmax(scores_BHTS if bias_B11S is None else scores_BHTS + bias_B11S, dim=-1)
        return self._merge(self._weighted(weights_BHTS, values_BHSK, distances_TS)), weights_BHTS

    def _attend(
        self, query_BHTK: Tensor, keys_BHSK: Tensor, values_BHSK: Tensor, padding_mask_BS: Tensor | None, is_causal: bool
    ) -> Tensor:
        """The attended values of each head, attended_BHTK; queries and keys both begin at position 0."""
        num_queries, num_keys = query_BHTK.size(2), keys_BHSK.size(2)
        distances_TS = self._distances(0, num_queries, num_keys, query_BHTK.device)
        scores_BHTS = self._scores(query_BHTK, keys_BHSK, distances_TS)
        if padding_mask_BS is not None:
            scores_BHTS = scores_BHTS.masked_fill(padding_mask_BS[:, None, None, :], -math.inf)
        if is_causal:
            later_TS = torch.ones(num_queries, num_keys, dtype=torch.bool, device=query_BHTK.device).triu_(1)
            scores_BHTS = scores_BHTS.masked_fill(later_TS, -math.inf)
        return self._weighted(self.weight_dropout(torch.softmax(scores_BHTS, dim=-1)), values_BHSK, distances_TS)

    def _attend_packed(
        self,
        query_1HMK: Tensor,
        keys_1HNK: Tensor,
        values_1HNK: Tensor,
        query_packing: Packing,
        key_packing: Packing,
        is_causal: bool,
    ) -> Tensor:
        """The attended values of each head, attended_1HMK; padded on every device, as no fused kernel knows distances."""
        padded = (query_packing.pad_heads(query_1HMK), key_packing.pad_heads(keys_1HNK), key_packing.pad_heads(values_1HNK))
        return query_packing.pack_heads(self._attend(*padded, None if is_causal else key_packing.padding_mask_BT, is_causal))

    def _distances(self, first: int, num_queries: int, num_keys: int, device: torch.device) -> Tensor:
        """The row of each key's distance from each query, distances_TS int64.

        Args:
            first: position of the first query.
            num_queries: T.
            num_keys: S; their positions begin at 0.
            device: of the result.
        """
        queries_T1 = torch.arange(first, first + num_queries, device=device).unsqueeze(1)
        return (torch.arange(num_keys, device=device) - queries_T1).clamp_(
            -self.max_distance, self.max_distance
        ) + self.max_distance

    def _scores(self, query_BHTK: Tensor, keys_BHSK: Tensor, distances_TS: Tensor) -> Tensor:
        """The scores_BHTS; with a single row of distances, it holds for all queries."""
        scaled_BHTK = query_BHTK / math.sqrt(query_BHTK.size(-1))
        by_distance_BHTR = torch.matmul(scaled_BHTK, self.distance_keys_RK.t())
        index_BHTS = distances_TS.expand(*query_BHTK.shape[:3], distances_TS.size(1))
        return torch.matmul(scaled_BHTK, keys_BHSK.transpose(-1, -2)) + by_distance_BHTR.gather(-1, index_BHTS)

    def _weighted(self, weights_BHTS: Tensor, values_BHSK: Tensor, distances_TS: Tensor) -> Tensor:
        """The attended_BHTK: the weighted sum of the values and of the vectors of their distances."""
        index_BHTS = distances_TS.expand_as(weights_BHTS)
        by_distance_BHTR = weights_BHTS.new_zeros(*weights_BHTS.shape[:3], 2 * self.max_distance + 1)
        by_distance_BHTR = by_distance_BHTR.scatter_add(-1, index_BHTS, weights_BHTS)
        return torch.matmul(weights_BHTS, values_BHSK) + torch.matmul(by_distance_BHTR, self.distance_values_RK)
