"""Convolutions between frames and the encoder: a recurrent network over features of a convolutional one (Shi 2015).

A picture is padded behind its end, in batches alone: what is there is set to zero before each convolution, which pads by zeros
itself. So a source gets the same output alone and in any batch.

Shapes: B batch, S frames, F values of a frame, C channels, H height, W width, R steps of the result, D width of the model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.config.model import ConvFrontEnd
from seq2seq_core.modeling.front_ends.frame_layout import FrameLayout
from seq2seq_core.modeling.layers.dropout import Dropout

KERNEL, PADDING = 3, 1


class ConvBlock(nn.Module):
    """A convolution with a stride, a norm over the channels of each place (Liu 2022, section 2.6), ReLU; maybe a residual one.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the result.
        stride: of height and width, 1 or 2.
        refine: whether a second convolution adds to its result (He 2016).
    """

    def __init__(self, channels_in: int, channels_out: int, stride: tuple[int, int], refine: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels_out, KERNEL, stride, PADDING)
        self.norm = nn.LayerNorm(channels_out)
        self.second = nn.Conv2d(channels_out, channels_out, KERNEL, 1, PADDING) if refine else None
        self.second_norm = nn.LayerNorm(channels_out) if refine else None
        for layer in (self.convolution, self.second):
            if layer is not None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.stride = stride

    def forward(self, picture_BCHW: Tensor, widths_B: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The block's result, zero behind each picture, and the pictures' widths in it.

        Args:
            picture_BCHW: zero behind each picture.
            widths_B: int64, columns of each picture; None: all are as wide as the batch.
        """
        result_BCHW = functional.relu(_norm(self.convolution(picture_BCHW), self.norm))
        if widths_B is not None:
            widths_B = (widths_B + self.stride[1] - 1) // self.stride[1]
            result_BCHW = clear_behind(result_BCHW, widths_B)
        if self.second is not None and self.second_norm is not None:
            result_BCHW = result_BCHW + functional.relu(_norm(self.second(result_BCHW), self.second_norm))
            if widths_B is not None:
                result_BCHW = clear_behind(result_BCHW, widths_B)
        return result_BCHW, widths_B


class ConvStack(nn.Module):
    """Frames as a picture, blocks of convolutions, and their result as a sequence of the model's width.

    Args:
        settings: the blocks.
        layout: what the values of a frame are.
        width: D.
        dropout: probability of dropping an element of the result in training.
    """

    def __init__(self, settings: ConvFrontEnd, layout: FrameLayout, width: int, dropout: float) -> None:
        super().__init__()
        self.layout, self.halvings = layout, settings.halvings
        sizes = [layout.channels, *settings.channels]
        blocks, height = [], layout.height
        for number, (before, after) in enumerate(zip(sizes, settings.channels, strict=False)):
            along = 2 if number < settings.halvings else 1
            blocks.append(ConvBlock(before, after, (along if layout.grid else 2, along), settings.refine))
            height = -(-height // 2)
        self.blocks = nn.ModuleList(blocks)
        self.projection = nn.Linear(sizes[-1] * (1 if layout.grid else height), width)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, frames_BSF: Tensor, padding_mask_BS: Tensor) -> tuple[Tensor, Tensor]:
        """The embedded sources embedded_BRD, and their mask_BR, True at padding.

        Args:
            frames_BSF: zero behind each source.
            padding_mask_BS: bool, True at padding, which stands behind each source; a grid has none.
        """
        picture_BCHW = as_picture(frames_BSF.masked_fill(padding_mask_BS.unsqueeze(-1), 0.0), self.layout)
        picture_BCHW = picture_BCHW.contiguous(memory_format=torch.channels_last)  # norms then read the channels where they stand
        widths_B = None if self.layout.grid else (~padding_mask_BS).sum(dim=1) * self.layout.columns
        for block in self.blocks:
            picture_BCHW, widths_B = block(picture_BCHW, widths_B)
        if widths_B is None:
            sequence_BRF = picture_BCHW.flatten(2).transpose(1, 2)
            mask_BR = padding_mask_BS.new_zeros(sequence_BRF.shape[:2])
        else:
            sequence_BRF = picture_BCHW.permute(0, 3, 1, 2).flatten(2)
            mask_BR = columns_behind(widths_B, sequence_BRF.size(1))
        return self.dropout(self.norm(self.projection(sequence_BRF))), mask_BR


def conv_multiply_adds(settings: ConvFrontEnd, layout: FrameLayout, width: int, num_frames: int) -> int:
    """Multiply-adds of a source's forward pass; norms cost little beside them.

    Args:
        settings: the blocks.
        layout: what the values of a frame are.
        width: D.
        num_frames: S.
    """
    high, wide = layout.height, num_frames * layout.columns
    if layout.grid is not None:
        high, wide = layout.grid[0] * layout.height, layout.grid[1] * layout.columns
    total, before = 0, layout.channels
    for number, after in enumerate(settings.channels):
        along = 2 if number < settings.halvings else 1
        high, wide = -(-high // (along if layout.grid else 2)), -(-wide // along)
        total += high * wide * KERNEL**2 * after * (before + (after if settings.refine else 0))
        before = after
    return total + (wide * high * before * width)


def as_picture(frames_BSF: Tensor, layout: FrameLayout) -> Tensor:
    """The picture_BCHW that frames form.

    Args:
        frames_BSF: columns from left to right, or the patches of a grid in reading order.
        layout: what the values of a frame are.
    """
    batch = frames_BSF.size(0)
    if layout.grid is None:
        columns_BWH = frames_BSF.reshape(batch, -1, layout.height)
        return columns_BWH.transpose(1, 2).unsqueeze(1)
    rows, columns = layout.grid
    patches = frames_BSF.view(batch, rows, columns, layout.height, layout.columns, layout.channels)
    return patches.permute(0, 5, 1, 3, 2, 4).reshape(batch, layout.channels, rows * layout.height, columns * layout.columns)


def columns_behind(widths_B: Tensor, width: int) -> Tensor:
    """True at the columns behind each picture; (B, width) bool.

    Args:
        widths_B: int64, columns of each picture.
        width: W of the batch.
    """
    return torch.arange(width, device=widths_B.device) >= widths_B.unsqueeze(1)


def clear_behind(picture_BCHW: Tensor, widths_B: Tensor) -> Tensor:
    """The pictures with zeros behind their ends.

    Args:
        picture_BCHW: a batch.
        widths_B: int64, columns of each picture.
    """
    return picture_BCHW.masked_fill(columns_behind(widths_B, picture_BCHW.size(3))[:, None, None, :], 0.0)


def _norm(picture_BCHW: Tensor, norm: nn.Module) -> Tensor:
    """The picture, normalised over the channels of each place."""
    normalized_BHWC: Tensor = norm(picture_BCHW.permute(0, 2, 3, 1))
    return normalized_BHWC.permute(0, 3, 1, 2)
