"""What a decoder of speech has around it: the pre-net before, and the post-net behind (Shen 2018, section 2.2).

Shapes: B batch, T frames, M mel bands, W width of a layer, D width of the decoder.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.layers.dropout import Dropout


class PreNet(nn.Module):
    """Two layers with ReLU and dropout, and a projection to the decoder's width.

    The bottleneck keeps the decoder from copying the last frame. Unlike in Tacotron 2, nothing is dropped in decoding.

    Args:
        num_mels: M.
        inner_width: W.
        width: D.
        dropout: probability of dropping an activation in training.
    """

    def __init__(self, num_mels: int, inner_width: int, width: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(num_mels, inner_width), nn.Linear(inner_width, inner_width)
        self.projection = nn.Linear(inner_width, width)
        self.dropout = Dropout(dropout)

    def forward(self, frames_BTM: Tensor) -> Tensor:
        """Inputs of the decoder, embedded_BTD; any number of leading axes."""
        hidden_BTW = self.dropout(torch.relu(self.first(frames_BTM)))
        embedded_BTD: Tensor = self.projection(self.dropout(torch.relu(self.second(hidden_BTW))))
        return embedded_BTD


class PostNet(nn.Module):
    """Convolutions over time with tanh, whose output is added to the frames.

    There is no batch normalisation, so that a sentence has the same output alone or in any batch.

    Args:
        num_mels: M.
        layers: number of convolutions, at least 1; the last one has M channels and no tanh.
        inner_width: W.
        kernel: frames that each sees; odd.
        dropout: probability of dropping an activation in training.
    """

    def __init__(self, num_mels: int, layers: int, inner_width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        widths = [num_mels, *[inner_width] * (layers - 1), num_mels]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel, padding=kernel // 2) for before, after in pairwise(widths)
        )
        self.dropout = Dropout(dropout)

    def forward(self, frames_BTM: Tensor, padding_mask_BT: Tensor) -> Tensor:
        """What is added to the frames, residual_BTM.

        Args:
            frames_BTM: written by the decoder.
            padding_mask_BT: bool, True at padding, which no valid frame sees.
        """
        hidden_BWT, is_valid_B1T = frames_BTM.transpose(1, 2), ~padding_mask_BT.unsqueeze(1)
        for number, convolution in enumerate(self.convolutions, start=1):
            hidden_BWT = convolution(hidden_BWT * is_valid_B1T)
            if number < len(self.convolutions):
                hidden_BWT = self.dropout(torch.tanh(hidden_BWT))
        return hidden_BWT.transpose(1, 2)
