"""The inputs of encoder and decoder: embedded ids, or projected feature frames.

Shapes: B batch, S source length, T any length, F features of a frame, D width.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from seq2seq_core.modeling.layers.dropout import Dropout


class TokenEmbedding(nn.Module):
    """Embeddings of ids, scaled by the square root of the width (Vaswani 2017, section 3.4), with dropout.

    The weights start with variance 1 / D, so that the scaled embeddings have variance 1 and a projection tied to the same
    weights gives logits of moderate size.

    Args:
        vocabulary_size: number of ids, special ones included.
        width: D.
        dropout: probability of dropping an element in training.
    """

    def __init__(self, vocabulary_size: int, width: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary_size, width)
        self.dropout = Dropout(dropout)
        self.scale = math.sqrt(width)
        nn.init.normal_(self.table.weight, std=1.0 / self.scale)

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Embeddings embedded_BTD of ids_BT (int64); any number of leading axes."""
        embedded_BTD: Tensor = self.dropout(self.table(ids_BT) * self.scale)
        return embedded_BTD


class FrameProjection(nn.Module):
    """Feature frames (audio, images, sensor series) projected to the model's width and normalised, with dropout.

    Args:
        frame_width: F, the features of a frame.
        width: D.
        dropout: probability of dropping an element in training.
    """

    def __init__(self, frame_width: int, width: int, dropout: float) -> None:
        super().__init__()
        self.projection = nn.Linear(frame_width, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, frames_BSF: Tensor) -> Tensor:
        """Projected frames embedded_BSD."""
        embedded_BSD: Tensor = self.dropout(self.norm(self.projection(frames_BSF)))
        return embedded_BSD
