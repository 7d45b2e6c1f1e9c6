"""Transformer encoder (Vaswani 2017, section 3.1), pre-norm: x + sublayer(norm(x))  (Xiong 2020, figure 1b).

Shapes: B batch, S source length, D width.
"""

from __future__ import annotations

from torch import Tensor, nn

from seq2seq_core.modeling.feed_forward import FeedForward
from seq2seq_core.modeling.memory import Memory
from seq2seq_core.modeling.multi_head_attention import MultiHeadAttention
from seq2seq_core.modeling.positions import SinusoidalPositions


class TransformerEncoderLayer(nn.Module):
    """Self-attention and feed-forward.

    Args:
        width: D.
        heads: H.
        feedforward_width: inner width of the feed-forward sublayer.
        dropout: probability of dropping an attention weight, an inner activation or an element of a sublayer's output in training.
    """

    def __init__(self, width: int, heads: int, feedforward_width: int, dropout: float) -> None:
        super().__init__()
        self.self_attention_norm = nn.LayerNorm(width)
        self.self_attention = MultiHeadAttention(width, heads, dropout)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, feedforward_width, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs_BSD: Tensor, padding_mask_BS: Tensor) -> Tensor:
        """The layer's outputs_BSD; positions at padding hold no meaning."""
        normed_BSD = self.self_attention_norm(inputs_BSD)
        attended_BSD = self.self_attention(normed_BSD, *self.self_attention.project(normed_BSD), padding_mask_BS)
        inputs_BSD = inputs_BSD + self.dropout(attended_BSD)
        transformed_BSD: Tensor = self.dropout(self.feed_forward(self.feed_forward_norm(inputs_BSD)))
        return inputs_BSD + transformed_BSD


class TransformerEncoder(nn.Module):
    """Positions, a stack of layers and a final norm.

    Args:
        width: D.
        layers: number of layers.
        heads: H.
        feedforward_width: inner width of the feed-forward sublayers.
        dropout: see :class:`TransformerEncoderLayer`.
    """

    def __init__(self, width: int, layers: int, heads: int, feedforward_width: int, dropout: float) -> None:
        super().__init__()
        self.positions = SinusoidalPositions(width)
        self.layers = nn.ModuleList(TransformerEncoderLayer(width, heads, feedforward_width, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, embedded_BSD: Tensor, padding_mask_BS: Tensor) -> Memory:
        """The memory; its summary is the mean over valid positions.

        Args:
            embedded_BSD: embedded sources.
            padding_mask_BS: bool, True at padding.
        """
        states_BSD = self.positions(embedded_BSD)
        for layer in self.layers:
            states_BSD = layer(states_BSD, padding_mask_BS)
        values_BSD = self.norm(states_BSD).masked_fill(padding_mask_BS.unsqueeze(-1), 0.0)
        lengths_B1 = (~padding_mask_BS).sum(dim=1, keepdim=True)
        return Memory(values_BSD, padding_mask_BS, values_BSD.sum(dim=1) / lengths_B1)
