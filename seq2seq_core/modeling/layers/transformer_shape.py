"""The settings that all layers of a Transformer's encoder or decoder share."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from seq2seq_core.config.model import PositionKind
from seq2seq_core.modeling.layers.multi_head_attention import MultiHeadAttention
from seq2seq_core.modeling.layers.relative_attention import LearnedDistances, SinusoidalDistances


@dataclass(frozen=True)
class TransformerShape:
    """The settings that all layers of an encoder or a decoder share.

    Attributes:
        width: D.
        heads: H.
        feedforward_width: inner width of the feed-forward sublayers.
        dropout: probability of dropping an attention weight, an inner activation or an element of a sublayer's output in training.
        is_pre_norm: whether norms come before each sublayer and after the whole stack; else after each sublayer.
        positions: kind of the position encoding.
        max_positions: rows of the table of learned positions.
        max_distance: the largest distance that relative positions tell apart.
        shares_layers: whether all layers of a stack are one layer, run repeatedly (Dehghani 2019, without halting).
        adds_positions: whether a stack adds positions to its inputs; else they have them already.
    """

    width: int
    heads: int
    feedforward_width: int
    dropout: float = 0.0
    is_pre_norm: bool = True
    positions: PositionKind = "sinusoidal"
    max_positions: int = 1024
    max_distance: int = 16
    shares_layers: bool = False
    adds_positions: bool = True

    def self_attention(self) -> MultiHeadAttention:
        """A fresh self-attention."""
        if self.positions == "relative":
            return LearnedDistances(self.width, self.heads, self.dropout, self.max_distance)
        if self.positions == "relative_sinusoidal":
            return SinusoidalDistances(self.width, self.heads, self.dropout)
        return MultiHeadAttention(self.width, self.heads, self.dropout, is_rotary=self.positions == "rotary")

    def num_weights(self, layers: int) -> int:
        """How many layers of a stack have weights of their own.

        Args:
            layers: depth of the stack.
        """
        return 1 if self.shares_layers else layers

    def final_norm(self) -> nn.Module:
        """A fresh norm after the stack; with post-norm, which needs none, the identity."""
        return nn.LayerNorm(self.width) if self.is_pre_norm else nn.Identity()
