"""Attention by the dot product with projected keys.

Shapes: B batch, S source length, D width.
"""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.layers.attention import Attention


class GeneralAttention(Attention):
    """score(q, m) = q . W m  (Luong 2015, equation 8): the dot product with projected keys.

    Args:
        width: D of queries and memory.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.key_projection = nn.Linear(width, width, bias=False)

    @classmethod
    def of(cls, settings: ModelSection) -> Self:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`."""
        return cls(settings.width)

    @classmethod
    def multiply_adds(cls, settings: ModelSection, source: int, target: int) -> int:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`; of W."""
        return settings.width**2 * source

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """See :class:`~seq2seq_core.modeling.layers.attention.Attention`; W m."""
        projected: Tensor = self.key_projection(memory_BSD)
        return projected


ATTENTION = GeneralAttention
