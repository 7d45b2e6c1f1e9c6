"""The feed-forward sublayer of Transformer encoders and decoders.

Shapes: B batch, T length, D width.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.modeling.dropout import Dropout


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
        for linear in (self.inner, self.outer):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, inputs_BTD: Tensor) -> Tensor:
        """The transformed inputs, outputs_BTD."""
        outputs_BTD: Tensor = self.outer(self.dropout(functional.relu(self.inner(inputs_BTD))))
        return outputs_BTD
