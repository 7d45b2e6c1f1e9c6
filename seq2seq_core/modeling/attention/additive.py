"""Additive attention.

Shapes: B batch, S source length, T target length, D width, E width of the keys.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.layers.attention import Attention


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
        self.has_coverage = has_coverage
        self.coverage_projection = nn.Linear(1, width, bias=False) if has_coverage else None

    @classmethod
    def of(cls, settings: ModelSection) -> Self:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`."""
        return cls(settings.width, settings.coverage)

    @classmethod
    def multiply_adds(cls, settings: ModelSection, source: int, target: int) -> int:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`; of W, U and w."""
        return settings.width**2 * (source + target) + (settings.width * source * target if settings.coverage else 0)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`; U m."""
        projected: Tensor = self.key_projection(memory_BSD)
        return projected

    def scores(self, query_BTD: Tensor, keys_BSE: Tensor, coverage_BTS: Tensor | None) -> Tensor:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`."""
        query_BT1D, keys_BTSD = self._projected(query_BTD, keys_BSE, coverage_BTS)
        energy_BTS: Tensor = self.energy(torch.tanh(query_BT1D + keys_BTSD)).squeeze(-1)
        return energy_BTS

    def step_scores(self, query_BKD: Tensor, keys_BSE: Tensor, coverage_BKS: Tensor | None) -> Tensor:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`.

        tanh(x) = 2 sigmoid(2 x) - 1, and PyTorch's sigmoid is several times as fast on a CPU.
        """
        query_BK1D, keys_BKSD = self._projected(query_BKD, keys_BSE, coverage_BKS)
        gates_BKSD = torch.add(2 * query_BK1D, keys_BKSD, alpha=2).sigmoid_()
        return functional.linear(gates_BKSD, 2 * self.energy.weight).squeeze(-1)

    def _projected(self, query_BTD: Tensor, keys_BSE: Tensor, coverage_BTS: Tensor | None) -> tuple[Tensor, Tensor]:
        """The two terms in tanh: W q, and U m + w c, one of each target position if there is a coverage."""
        query_BT1D, keys_B1SD = self.query_projection(query_BTD).unsqueeze(2), keys_BSE.unsqueeze(1)
        if self.coverage_projection is None:
            return query_BT1D, keys_B1SD
        assert coverage_BTS is not None, "the decoder keeps it"
        return query_BT1D, keys_B1SD + self.coverage_projection(coverage_BTS.unsqueeze(-1))


ATTENTION = AdditiveAttention
