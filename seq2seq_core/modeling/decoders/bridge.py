"""The initial state of a recurrent decoder, made from the encoded source.

Shapes: B batch, D width.
"""

from __future__ import annotations

from typing import assert_never

import torch
from torch import nn

from seq2seq_core.config.model import BridgeKind
from seq2seq_core.modeling.layers.recurrent_layer import STATE_PARTS, Cell, CellState
from seq2seq_core.modeling.memory import Memory


class ProjectedBridge(nn.Module):
    """A hidden state for each decoder layer, tanh(W s + b)  (Bahdanau 2015, appendix A.2.2); an LSTM's cell, V s + c.

    Args:
        cell: cell type of the decoder.
        width: D of the memory and of the decoder's states.
        layers: number of decoder layers.
        is_mean: whether s is the mean of the memory's vectors; else its summary.
    """

    def __init__(self, cell: Cell, width: int, layers: int, is_mean: bool) -> None:
        super().__init__()
        self.layers, self.is_mean = layers, is_mean
        self.projection = nn.Linear(width, layers * width)
        self.cell_projection = nn.Linear(width, layers * width) if STATE_PARTS[cell] > 1 else None

    def forward(self, memory: Memory) -> tuple[CellState, ...]:
        """The state of each layer, from the bottom up."""
        start_BD = memory.mean_BD if self.is_mean else memory.summary_BD
        parts = [torch.tanh(self.projection(start_BD))]
        if self.cell_projection is not None:
            parts.append(self.cell_projection(start_BD))
        return tuple(zip(*(part.chunk(self.layers, dim=-1) for part in parts), strict=True))


class ZeroBridge(nn.Module):
    """Zeros for each decoder layer: the decoder gets the source by attention alone.

    Args:
        cell: cell type of the decoder.
        layers: number of decoder layers.
    """

    def __init__(self, cell: Cell, layers: int) -> None:
        super().__init__()
        self.num_parts, self.layers = STATE_PARTS[cell], layers

    def forward(self, memory: Memory) -> tuple[CellState, ...]:
        """The state of each layer."""
        return ((torch.zeros_like(memory.summary_BD),) * self.num_parts,) * self.layers


def build_bridge(kind: BridgeKind, cell: Cell, width: int, layers: int) -> ProjectedBridge | ZeroBridge:
    """The bridge that makes a recurrent decoder's initial state.

    Args:
        kind: as in ``model.bridge``.
        cell: cell type of the decoder.
        width: D.
        layers: number of decoder layers.
    """
    match kind:
        case "last" | "mean":
            return ProjectedBridge(cell, width, layers, is_mean=kind == "mean")
        case "zero":
            return ZeroBridge(cell, layers)
        case unknown:
            assert_never(unknown)
