"""Position encodings of Transformers.

Shapes: B batch, H heads, T positions, D width, K width of a head.
"""

from __future__ import annotations

import math
from typing import assert_never

import torch
from torch import Tensor, nn

from seq2seq_core.config.model import PositionKind
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.layers.packing import Packing


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


class SinusoidTable(nn.Module):
    """Sinusoidal positions, computed once; the table grows with longer sequences and is not part of a model's state.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.table_TD: Tensor
        self.register_buffer("table_TD", sinusoidal_positions(256, width), persistent=False)

    def rows(self, start: int, end: int, like: Tensor) -> Tensor:
        """The sinusoids of positions ``start`` to ``end - 1``, (end - start, D), with the type of ``like``."""
        if end > self.table_TD.size(0):
            with torch.inference_mode(False):  # a search may ask first, and training later
                self.table_TD = sinusoidal_positions(2 * end, self.width).to(self.table_TD)
        return self.table_TD[start:end].to(like.dtype)


class SinusoidalPositions(SinusoidTable):
    """Adds sinusoidal positions.

    Args:
        width: D.
    """

    def forward(self, inputs_BTD: Tensor, offset: int = 0) -> Tensor:
        """The inputs plus their positions.

        Args:
            inputs_BTD: float; T positions from ``offset`` on.
            offset: position of the first one, above 0 when decoding goes step by step.
        """
        return inputs_BTD + self.rows(offset, offset + inputs_BTD.size(1), inputs_BTD)


class LearnedPositions(nn.Module):
    """Adds a learned vector per position (Gehring 2017, section 3.1).

    Args:
        width: D.
        max_positions: rows of the table.
    """

    def __init__(self, width: int, max_positions: int) -> None:
        super().__init__()
        self.table = nn.Embedding(max_positions, width)
        nn.init.normal_(self.table.weight, std=1.0 / math.sqrt(width))

    def forward(self, inputs_BTD: Tensor, offset: int = 0) -> Tensor:
        """The inputs plus their positions; see :class:`SinusoidalPositions`.

        Raises:
            UserError: a sequence is longer than the table.
        """
        end = offset + inputs_BTD.size(1)
        if end > self.table.num_embeddings:
            raise UserError(
                f"model.max_positions: must be at least the length of every sequence, got {self.table.num_embeddings} for one of "
                f"{end} (learned positions end there; sinusoidal, rotary and relative ones do not)"
            )
        return inputs_BTD + self.table.weight[offset:end].to(inputs_BTD.dtype)


class NoPositions(nn.Module):
    """Leaves the inputs as they are: rotations and relative positions act in the attention."""

    def forward(self, inputs_BTD: Tensor, offset: int = 0) -> Tensor:
        """The inputs."""
        return inputs_BTD


class RotaryPositions(nn.Module):
    """Rotates each pair of columns (2 i, 2 i + 1) by position / 10000 ** (2 i / K)  (Su 2021, equation 34).

    A query's product with a key then depends on their distance alone.

    Args:
        width: K of a head, even.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sinusoids = SinusoidTable(width)

    def forward(self, inputs_BHTK: Tensor, offset: int = 0, packing: Packing | None = None) -> Tensor:
        """The inputs, rotated.

        Args:
            inputs_BHTK: queries or keys of each head.
            offset: position of the first one.
            packing: packing of the inputs, if they are packed; gives each its position.
        """
        if packing is None:
            angles_TK = self.sinusoids.rows(offset, offset + inputs_BHTK.size(2), inputs_BHTK)
        else:
            angles_TK = self.sinusoids.rows(0, packing.padding_mask_BT.size(1), inputs_BHTK)[packing.positions_N]
        sine_TK = angles_TK[:, 0::2].repeat_interleave(2, dim=1)
        cosine_TK = angles_TK[:, 1::2].repeat_interleave(2, dim=1)
        turned_BHTK = torch.stack([-inputs_BHTK[..., 1::2], inputs_BHTK[..., 0::2]], dim=-1).flatten(-2)
        return inputs_BHTK * cosine_TK + turned_BHTK * sine_TK


def build_positions(kind: PositionKind, width: int, max_positions: int) -> SinusoidalPositions | LearnedPositions | NoPositions:
    """The module that adds positions to a Transformer's inputs.

    Args:
        kind: ``sinusoidal``, ``learned``, or ``rotary`` or one that is relative (nothing is added).
        width: D.
        max_positions: rows of a learned table.
    """
    match kind:
        case "sinusoidal":
            return SinusoidalPositions(width)
        case "learned":
            return LearnedPositions(width, max_positions)
        case "rotary" | "relative" | "relative_sinusoidal":
            return NoPositions()
        case unknown:
            assert_never(unknown)
