"""Attention of a recurrent decoder over the memory: what the kinds in ``modeling/attention`` share.

Each scores a query against the memory's keys, masks padding and averages the memory by the softmax of the scores.
The keys do not depend on the query and are computed once a source.

Shapes: B batch, S source length, T target length, K hypotheses of a sentence in a search, D width, E width of the keys.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor, nn

from seq2seq_core.config.model import ModelSection


class Attention(nn.Module):
    """The base of all kinds: by default the dot product of query and memory; a subclass gives other keys or scores.

    Attributes:
        has_coverage: whether the scores depend on what was attended to before, so that decoding goes step by step.
    """

    has_coverage = False

    @classmethod
    def of(cls, settings: ModelSection) -> Self:
        """An attention with fresh weights.

        Args:
            settings: ``width``, ``heads``, ``dropout`` and ``coverage``, as far as the kind has any.
        """
        return cls()

    @classmethod
    def multiply_adds(cls, settings: ModelSection, source: int, target: int) -> int:
        """Multiply-adds per row of the kind's own projections; those of scores and weighted sum are counted for every kind.

        Args:
            settings: the sizes.
            source: source positions, S.
            target: target positions, T.
        """
        return 0

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """The keys that queries are compared with, keys_BSE: by default the memory itself."""
        return memory_BSD

    def scores(self, query_BTD: Tensor, keys_BSE: Tensor, coverage_BTS: Tensor | None) -> Tensor:
        """Unnormalised scores_BTS: by default the dot product."""
        return torch.bmm(query_BTD, keys_BSE.transpose(1, 2))

    def step_scores(self, query_BKD: Tensor, keys_BSE: Tensor, coverage_BKS: Tensor | None) -> Tensor:
        """The scores_BKS of a search: by default the same; a faster way may differ by rounding and a constant for each query."""
        return self.scores(query_BKD, keys_BSE, coverage_BKS)

    def forward(
        self,
        query_BTD: Tensor,
        keys_BSE: Tensor,
        values_BSD: Tensor,
        padding_mask_BS: Tensor,
        coverage_BTS: Tensor | None = None,
        is_step: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Context vectors and weights.

        Args:
            query_BTD: decoder states.
            keys_BSE: from :meth:`keys`.
            values_BSD: the memory.
            padding_mask_BS: bool, True at padding.
            coverage_BTS: the sum of the weights at all positions before each query, for an attention that uses it.
            is_step: whether this is a step of a search; the queries are then the hypotheses of a sentence.

        Returns:
            context_BTD, and weights_BTS whose rows sum to 1 and are 0 at padding.
        """
        score = self.step_scores if is_step else self.scores
        scores_BTS = score(query_BTD, keys_BSE, coverage_BTS).masked_fill(padding_mask_BS.unsqueeze(1), -math.inf)
        weights_BTS = torch.softmax(scores_BTS, dim=-1)
        return torch.bmm(weights_BTS, values_BSD), weights_BTS
