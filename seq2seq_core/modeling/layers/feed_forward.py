"""The feed-forward sublayer of Transformer encoders and decoders.

Shapes: B batch, T length, D width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.layers.dropout import Dropout, draw_mask, keep_factor
from seq2seq_core.modeling.layers.packed_weights import linear


class FeedForward(nn.Module):
    """W2 relu(W1 x + b1) + b2  (Vaswani 2017, equation 2), with dropout on the inner activations.

    Args:
        width: D.
        inner_width: width of the inner layer.
        dropout: probability of dropping an inner activation in training.
    """

    def __init__(self, width: int, inner_width: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(width, inner_width)
        self.outer = nn.Linear(inner_width, width)
        self.dropout = Dropout(dropout)
        for projection in (self.inner, self.outer):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def forward(self, inputs_BTD: Tensor) -> Tensor:
        """The transformed inputs, outputs_BTD."""
        probability = self.dropout.probability if self.training else 0.0
        if probability and inputs_BTD.device.type == "cpu":
            inner = (self.inner.weight, self.inner.bias)
            activations_ND = _InnerLayer.apply(inputs_BTD.flatten(0, -2), *inner, probability)  # type: ignore[no-untyped-call]
            activations_BTD = activations_ND.view(*inputs_BTD.shape[:-1], -1)
        else:
            activations_BTD = self.dropout(torch.relu_(linear(inputs_BTD, self.inner.weight, self.inner.bias)))
        return linear(activations_BTD, self.outer.weight, self.outer.bias)


class _InnerLayer(torch.autograd.Function):
    """relu(W1 x + b1) with dropout on a CPU, in place: autograd would make more passes over these widest arrays.

    Shapes: N positions, D width, I inner width.
    """

    @staticmethod
    def forward(ctx: Any, inputs_ND: Tensor, weight_ID: Tensor, bias_I: Tensor, probability: float) -> Tensor:
        activations_NI = torch.addmm(bias_I, inputs_ND, weight_ID.t()).relu_()
        activations_NI.mul_(draw_mask(activations_NI, probability))
        ctx.save_for_backward(inputs_ND, weight_ID, activations_NI)
        ctx.factor = keep_factor(probability)
        return activations_NI

    @staticmethod
    def backward(ctx: Any, gradient_NI: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        inputs_ND, weight_ID, activations_NI = ctx.saved_tensors
        # Dropped and negative activations are both 0: one comparison finds both.
        before_NI = torch.ops.aten.threshold_backward(gradient_NI, activations_NI, 0).mul_(ctx.factor)
        return before_NI @ weight_ID, before_NI.t() @ inputs_ND, before_NI.sum(dim=0), None
