"""What a decoder of speech has around it: the pre-net before, and the post-net behind (Shen 2018, section 2.2).

Shapes: B batch, T frames, M mel bands, W width of a layer, D width of the decoder, R steps.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.layers.dropout import Dropout


class PreNet(nn.Module):
    """Two layers with ReLU and dropout, and a projection to the decoder's width.

    The bottleneck keeps the decoder from copying the last frame.

    Args:
        num_mels: M.
        inner_width: W.
        width: D.
        dropout: probability of dropping an activation in training.
        drops_in_decoding: whether activations are dropped outside of training too, by masks that the number of the step decides.
        frame_dropout: probability of dropping a whole frame in training (Liu 2019).
    """

    def __init__(
        self,
        num_mels: int,
        inner_width: int,
        width: int,
        dropout: float,
        drops_in_decoding: bool = False,
        frame_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(num_mels, inner_width), nn.Linear(inner_width, inner_width)
        self.projection = nn.Linear(inner_width, width)
        self.dropout, self.drops_in_decoding = Dropout(dropout), drops_in_decoding
        self.frame_dropout = Dropout(frame_dropout)

    def forward(self, frames_BTM: Tensor, first_step: int = 0) -> Tensor:
        """Inputs of the decoder, embedded_BTD.

        Args:
            frames_BTM: the last frame before each step; or frames_BM before one step.
            first_step: the number of the first step, from 0.
        """
        if self.training and self.frame_dropout.probability:
            ones_BT1 = torch.ones_like(frames_BTM[..., :1])
            frames_BTM = frames_BTM * (self.frame_dropout(ones_BT1) > 0)
        first_RW, second_RW = self._masks(frames_BTM, first_step)
        hidden_BTW = self.dropout(torch.relu(self.first(frames_BTM))) * first_RW
        embedded_BTD: Tensor = self.projection(self.dropout(torch.relu(self.second(hidden_BTW))) * second_RW)
        return embedded_BTD

    def _masks(self, frames_BTM: Tensor, first_step: int) -> tuple[Tensor, Tensor] | tuple[float, float]:
        """What the activations of the two layers are multiplied by, besides dropout in training."""
        if self.training or not self.drops_in_decoding or not self.dropout.probability:
            return 1.0, 1.0
        steps = frames_BTM.shape[1] if frames_BTM.dim() > 2 else 1
        masks_R2W = step_masks(range(first_step, first_step + steps), self.first.out_features, self.dropout.probability)
        first_RW, second_RW = masks_R2W.to(frames_BTM.device).unbind(dim=1)
        return first_RW, second_RW


def step_masks(steps: range, width: int, dropout: float) -> Tensor:
    """The masks_R2W of two layers in decoding: 0 where an activation is dropped, else 1 / (1 - dropout).

    The number of a step alone decides them, so that a text has the same frames at each call, alone and in any batch.

    Args:
        steps: their numbers.
        width: W.
        dropout: probability of dropping an activation.
    """
    drawn = [torch.rand(2, width, generator=torch.Generator().manual_seed(step)) for step in steps]
    return (torch.stack(drawn) >= dropout) / (1.0 - dropout)


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
