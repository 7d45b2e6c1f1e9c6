"""The embedding of sources of frames: convolutions or a projection of each frame, and positions in a grid.

Shapes: B batch, S frames, F values of a frame, R steps of the result, D width.
"""

from __future__ import annotations

from torch import Tensor, nn

from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.front_ends.conv_stack import ConvStack
from seq2seq_core.modeling.front_ends.frame_layout import FrameLayout
from seq2seq_core.modeling.front_ends.grid_positions import build_grid_positions
from seq2seq_core.modeling.layers.embedding import FrameProjection


class FrameEmbedding(nn.Module):
    """Frames as the encoder reads them, which may be fewer.

    Args:
        settings: width, dropout, convolutions and positions.
        layout: what the values of a frame are.

    Attributes:
        layout: the same.
    """

    def __init__(self, settings: ModelSection, layout: FrameLayout) -> None:
        super().__init__()
        self.layout = layout
        width, dropout, front_end = settings.width, settings.dropout, settings.front_end
        self.convolutions = None if front_end is None else ConvStack(front_end, layout, width, dropout)
        self.frames = None if front_end is not None else FrameProjection(layout.frame_width, width, dropout)
        grid = layout.grid
        if grid is not None and front_end is not None:
            grid = layout.reduced_grid(front_end.halvings)
        self.positions = None if grid is None else build_grid_positions(settings.grid_positions, grid, width)

    def forward(self, frames_BSF: Tensor, padding_mask_BS: Tensor) -> tuple[Tensor, Tensor]:
        """The embedded sources embedded_BRD, and their mask_BR, True at padding.

        Args:
            frames_BSF: padded frames.
            padding_mask_BS: bool, True at padding.
        """
        if self.convolutions is not None:
            embedded_BRD, mask_BR = self.convolutions(frames_BSF, padding_mask_BS)
        else:
            assert self.frames is not None
            embedded_BRD, mask_BR = self.frames(frames_BSF), padding_mask_BS
        return embedded_BRD if self.positions is None else self.positions(embedded_BRD), mask_BR
