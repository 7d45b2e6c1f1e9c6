"""Position encodings: what tells a Transformer where in its sequence a vector stands.

Shapes: T positions, D width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def sinusoidal_positions(num_positions: int, width: int) -> Tensor:
    """Sinusoids of geometrically growing wavelength (Vaswani 2017, section 3.5), sines in even columns, cosines in odd ones.

    Args:
        num_positions: how many positions, from 0.
        width: number of columns, even.

    Returns:
        positions_TD float32.
    """
    position_T1 = torch.arange(num_positions, dtype=torch.float32).unsqueeze(1)
    rate_D = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
    positions_TD = torch.zeros(num_positions, width)
    positions_TD[:, 0::2] = torch.sin(position_T1 * rate_D)
    positions_TD[:, 1::2] = torch.cos(position_T1 * rate_D)
    return positions_TD


class SinusoidalPositions(nn.Module):
    """Adds sinusoidal positions; the table grows as longer sequences come.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.table_TD: Tensor
        self.register_buffer("table_TD", sinusoidal_positions(256, width), persistent=False)

    def forward(self, inputs_BTD: Tensor, offset: int = 0) -> Tensor:
        """The inputs plus their positions.

        Args:
            inputs_BTD: float; its first column of the time axis stands at ``offset``.
            offset: position of the first one, above 0 when decoding goes step by step.
        """
        end = offset + inputs_BTD.size(1)
        if end > self.table_TD.size(0):
            self.table_TD = sinusoidal_positions(2 * end, self.width).to(self.table_TD)
        return inputs_BTD + self.table_TD[offset:end].to(inputs_BTD.dtype)
