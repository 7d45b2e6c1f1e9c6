"""Positions of a source whose first symbols are tags: tags have a type and no position (Wu 2021, section 3.2).

The order of the tags then means nothing to the model, and a character's position does not depend on how many tags stand before it.

Shapes: B batch, S source length, D width, V source vocabulary.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from seq2seq_core.config.model import PositionKind
from seq2seq_core.modeling.layers.positions import build_positions
from seq2seq_core.tokenization.special_tokens import NUM_SPECIAL


class TagPositions(nn.Module):
    """Adds to a tag the vector of its type; to any other symbol that of the other type and its position behind the tags.

    Args:
        kind: of the positions, ``sinusoidal`` or ``learned``.
        width: D.
        max_positions: rows of a learned table.
        num_tags: ids of tags, which follow the special ones.
    """

    def __init__(self, kind: PositionKind, width: int, max_positions: int, num_tags: int) -> None:
        super().__init__()
        self.num_tags = num_tags
        self.positions = build_positions(kind, width, max_positions)
        self.types = nn.Embedding(2, width)
        nn.init.normal_(self.types.weight, std=1.0 / math.sqrt(width))

    def forward(self, embedded_BSD: Tensor, ids_BS: Tensor) -> Tensor:
        """The embedded sources with their types and positions.

        Args:
            embedded_BSD: embedded ids.
            ids_BS: int64; tags may stand anywhere, and are not counted.
        """
        is_tag_BS = (ids_BS >= NUM_SPECIAL) & (ids_BS < NUM_SPECIAL + self.num_tags)
        zeros_1SD = torch.zeros_like(embedded_BSD[:1])
        table_SD = self.positions(zeros_1SD)[0]
        place_BS = (~is_tag_BS).cumsum(dim=1) - 1
        positions_BSD = table_SD[place_BS.clamp_min(0)].masked_fill(is_tag_BS.unsqueeze(-1), 0.0)
        types_BSD: Tensor = self.types(is_tag_BS.long())
        typed_BSD: Tensor = embedded_BSD + types_BSD.to(embedded_BSD.dtype) + positions_BSD
        return typed_BSD
