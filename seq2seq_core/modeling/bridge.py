"""The initial state of a recurrent decoder, made from the encoded source.

Shapes: B batch, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.memory import Memory


class SummaryBridge(nn.Module):
    """A hidden state for each decoder layer, tanh(W summary + b)  (Bahdanau 2015, appendix A.2.2).

    Args:
        width: D of the memory's summary and of the decoder's states.
        layers: number of decoder layers.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = layers
        self.projection = nn.Linear(width, layers * width)

    def forward(self, memory: Memory) -> tuple[Tensor, ...]:
        """The hidden_BD of each layer, from the bottom up."""
        return torch.tanh(self.projection(memory.summary_BD)).chunk(self.layers, dim=-1)
