"""Location-sensitive attention: additive attention that sees, around each place, how much of it was attended to before.

Shapes: B batch, S source length, T target length, D width, E width of the keys, C filters.
"""

from __future__ import annotations

from torch import Tensor, nn

from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.attention.additive import AdditiveAttention

NUM_FILTERS, FILTER_WIDTH = 32, 31
"""Filters over the source, and the places that each sees (Shen 2018, section 2.2)."""


class LocationAttention(AdditiveAttention):
    """score(q, m) = v . tanh(W q + V m + U f),  f = F * (sum of earlier weights)  (Chorowski 2015, equations 8 and 9; Shen 2018).

    Args:
        width: D of queries, memory and the hidden layer.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.has_coverage = True
        self.filters = nn.Conv1d(1, NUM_FILTERS, FILTER_WIDTH, padding=FILTER_WIDTH // 2, bias=False)
        self.location_projection = nn.Linear(NUM_FILTERS, width, bias=False)

    @classmethod
    def of(cls, settings: ModelSection) -> LocationAttention:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`."""
        return cls(settings.width)

    @classmethod
    def multiply_adds(cls, settings: ModelSection, source: int, target: int) -> int:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`; of W and V, and of F and U at each pair of positions."""
        located = NUM_FILTERS * (FILTER_WIDTH + settings.width) * source * target
        return settings.width**2 * (source + target) + located

    def _projected(self, query_BTD: Tensor, keys_BSE: Tensor, coverage_BTS: Tensor | None) -> tuple[Tensor, Tensor]:
        """The two terms in tanh: W q, and V m + U f."""
        if coverage_BTS is None:  # nothing was attended to before
            coverage_BTS = query_BTD.new_zeros(*query_BTD.shape[:2], keys_BSE.shape[1])
        batch, targets, sources = coverage_BTS.shape
        features_NCS = self.filters(coverage_BTS.reshape(batch * targets, 1, sources))
        located_BTSD = self.location_projection(features_NCS.transpose(1, 2)).view(batch, targets, sources, -1)
        return self.query_projection(query_BTD).unsqueeze(2), keys_BSE.unsqueeze(1) + located_BTSD


ATTENTION = LocationAttention
