"""The initial state of a recurrent decoder, made from the encoded source.

Shapes: B batch, D width.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.memory import Memory

BridgeKind = Literal["last", "mean", "zero"]


class ProjectedBridge(nn.Module):
    """A hidden state for each decoder layer, tanh(W s + b)  (Bahdanau 2015, appendix A.2.2).

    Args:
        width: D of the memory and of the decoder's states.
        layers: number of decoder layers.
        is_mean: whether s is the mean of the memory's vectors and not its summary.
    """

    def __init__(self, width: int, layers: int, is_mean: bool) -> None:
        super().__init__()
        self.layers, self.is_mean = layers, is_mean
        self.projection = nn.Linear(width, layers * width)

    def forward(self, memory: Memory) -> tuple[Tensor, ...]:
        """The hidden_BD of each layer, from the bottom up."""
        start_BD = memory.mean_BD if self.is_mean else memory.summary_BD
        return torch.tanh(self.projection(start_BD)).chunk(self.layers, dim=-1)


class ZeroBridge(nn.Module):
    """Zeros for each decoder layer: all that the decoder knows of the source comes by attention.

    Args:
        layers: number of decoder layers.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, memory: Memory) -> tuple[Tensor, ...]:
        """The hidden_BD of each layer."""
        return (torch.zeros_like(memory.summary_BD),) * self.layers


def build_bridge(kind: BridgeKind, width: int, layers: int) -> ProjectedBridge | ZeroBridge:
    """What makes a recurrent decoder's initial state.

    Args:
        kind: as in ``model.bridge``.
        width: D.
        layers: number of decoder layers.
    """
    return ZeroBridge(layers) if kind == "zero" else ProjectedBridge(width, layers, is_mean=kind == "mean")
