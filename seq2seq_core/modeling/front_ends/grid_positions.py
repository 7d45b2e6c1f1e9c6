"""Positions of the patches of a grid: two-dimensional sinusoids, or a learned table.

Shapes: B batch, R rows times columns of the grid, D width.
"""

from __future__ import annotations

import math
from typing import assert_never

import torch
from torch import Tensor, nn

from seq2seq_core.config.model import GridPositionKind
from seq2seq_core.modeling.layers.positions import sinusoidal_positions


def grid_sinusoids(rows: int, columns: int, width: int) -> Tensor:
    """Sinusoids of the row in the first half of the width, of the column in the second (He 2022, appendix A.1): positions_RD.

    Args:
        rows: of the grid.
        columns: of the grid.
        width: D, a multiple of 4.
    """
    of_rows, of_columns = sinusoidal_positions(rows, width // 2), sinusoidal_positions(columns, width // 2)
    return torch.cat([of_rows.repeat_interleave(columns, dim=0), of_columns.repeat(rows, 1)], dim=1)


class GridSinusoids(nn.Module):
    """Adds two-dimensional sinusoids; no part of a model's state.

    Args:
        rows: of the grid.
        columns: of the grid.
        width: D, a multiple of 4.
    """

    def __init__(self, rows: int, columns: int, width: int) -> None:
        super().__init__()
        self.table_RD: Tensor
        self.register_buffer("table_RD", grid_sinusoids(rows, columns, width), persistent=False)

    def forward(self, embedded_BRD: Tensor) -> Tensor:
        """The patches plus their positions."""
        return embedded_BRD + self.table_RD.to(embedded_BRD.dtype)


class LearnedGrid(nn.Module):
    """Adds a learned vector for each place of the grid (Dosovitskiy 2021, section 3.1).

    Args:
        rows: of the grid.
        columns: of the grid.
        width: D.
    """

    def __init__(self, rows: int, columns: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(rows * columns, width)
        nn.init.normal_(self.table.weight, std=1.0 / math.sqrt(width))

    def forward(self, embedded_BRD: Tensor) -> Tensor:
        """The patches plus their positions."""
        return embedded_BRD + self.table.weight.to(embedded_BRD.dtype)


def build_grid_positions(kind: GridPositionKind, grid: tuple[int, int], width: int) -> GridSinusoids | LearnedGrid | None:
    """The module that adds the positions of a grid; None: none are added.

    Args:
        kind: as in ``model.grid_positions``.
        grid: rows and columns.
        width: D.
    """
    match kind:
        case "none":
            return None
        case "sinusoidal":
            return GridSinusoids(*grid, width)
        case "learned":
            return LearnedGrid(*grid, width)
        case unknown:
            assert_never(unknown)
