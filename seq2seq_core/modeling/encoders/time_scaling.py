"""Scaling over time: the encoded source is scaled by time step, so that the decoder can tell the steps apart.

Shapes: B batch, S source length (of the memory), D width.
"""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor, nn

from seq2seq_core.config.model import TimeScaling
from seq2seq_core.modeling.layers.positions import SinusoidTable


class SinusoidalScaling(nn.Module):
    """m * (1 + p) with the sinusoids p of the vector's position (Vaswani 2017, section 3.5): factors from 0 to 2.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sinusoids = SinusoidTable(width)

    def forward(self, values_BSD: Tensor) -> Tensor:
        """The scaled values_BSD; zeros stay zeros."""
        return values_BSD * (1.0 + self.sinusoids.rows(0, values_BSD.size(1), values_BSD))


class GatedScaling(nn.Module):
    """m * 2 sigmoid(W m + U p + b): a learned gate of content and position, from 0 to 2, that starts at 1.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sinusoids = SinusoidTable(width)
        self.content_projection = nn.Linear(width, width)
        self.position_projection = nn.Linear(width, width, bias=False)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, values_BSD: Tensor) -> Tensor:
        """The scaled values_BSD; zeros stay zeros."""
        positions_SD = self.sinusoids.rows(0, values_BSD.size(1), values_BSD)
        return values_BSD * 2.0 * torch.sigmoid(self.content_projection(values_BSD) + self.position_projection(positions_SD))


def build_time_scaling(kind: TimeScaling, width: int) -> SinusoidalScaling | GatedScaling | None:
    """The scaling of a memory, or None.

    Args:
        kind: as in ``model.time_scaling``.
        width: D.
    """
    match kind:
        case "none":
            return None
        case "sinusoidal":
            return SinusoidalScaling(width)
        case "gate":
            return GatedScaling(width)
        case unknown:
            assert_never(unknown)
