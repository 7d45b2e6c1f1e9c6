"""Transformer decoder (Vaswani 2017, section 3.1), pre-norm, with a cache of keys and values for step-by-step decoding.

Shapes: B batch, S source length, T target length, D width, N rows being decoded, H heads, K width of a head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.feed_forward import FeedForward
from seq2seq_core.modeling.memory import DecoderOutput, DecoderState, DecoderStep, Memory
from seq2seq_core.modeling.multi_head_attention import MultiHeadAttention
from seq2seq_core.modeling.positions import SinusoidalPositions

KeysValues = tuple[Tensor, Tensor]
"""Projected keys and values of one attention, each (N, H, length, K)."""


@dataclass(frozen=True)
class TransformerState:
    """What a Transformer decoder carries from step to step.

    Attributes:
        memory: the encoded source of each row.
        cross: each layer's keys and values of the memory.
        past: each layer's keys and values of the target so far.
    """

    memory: Memory
    cross: tuple[KeysValues, ...]
    past: tuple[KeysValues, ...]

    def select(self, rows_N: Tensor) -> TransformerState:
        """See :class:`~seq2seq_core.modeling.memory.DecoderState`."""
        return TransformerState(self.memory.select(rows_N), _select_rows(self.cross, rows_N), _select_rows(self.past, rows_N))


class TransformerDecoderLayer(nn.Module):
    """Causal self-attention, attention over the memory, and feed-forward.

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
        self.cross_attention_norm = nn.LayerNorm(width)
        self.cross_attention = MultiHeadAttention(width, heads, dropout)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, feedforward_width, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs_BTD: Tensor, cross: KeysValues, padding_mask_BS: Tensor) -> Tensor:
        """The outputs_BTD of whole targets, each position seeing the target up to itself."""
        normed_BTD = self.self_attention_norm(inputs_BTD)
        attended_BTD = self.self_attention(normed_BTD, *self.self_attention.project(normed_BTD), is_causal=True)
        inputs_BTD = inputs_BTD + self.dropout(attended_BTD)
        attended_BTD = self.cross_attention(self.cross_attention_norm(inputs_BTD), *cross, padding_mask_BS)
        return self._finish(inputs_BTD + self.dropout(attended_BTD))

    def step(
        self, inputs_N1D: Tensor, cross: KeysValues, past: KeysValues, padding_mask_NS: Tensor
    ) -> tuple[Tensor, KeysValues, Tensor]:
        """The output_N1D of one more position, the extended past, and the attention weights_N1S over the memory."""
        normed_N1D = self.self_attention_norm(inputs_N1D)
        keys_NH1K, values_NH1K = self.self_attention.project(normed_N1D)
        past = (torch.cat([past[0], keys_NH1K], dim=2), torch.cat([past[1], values_NH1K], dim=2))
        inputs_N1D = inputs_N1D + self.dropout(self.self_attention(normed_N1D, *past))
        attended_N1D, weights_N1S = self.cross_attention.attend_with_weights(
            self.cross_attention_norm(inputs_N1D), *cross, padding_mask_NS
        )
        return self._finish(inputs_N1D + self.dropout(attended_N1D)), past, weights_N1S

    def _finish(self, inputs_BTD: Tensor) -> Tensor:
        """The feed-forward sublayer."""
        transformed_BTD: Tensor = self.dropout(self.feed_forward(self.feed_forward_norm(inputs_BTD)))
        return inputs_BTD + transformed_BTD


class TransformerDecoder(nn.Module):
    """Positions, a stack of layers and a final norm.

    Args:
        width: D.
        layers: number of layers.
        heads: H.
        feedforward_width: inner width of the feed-forward sublayers.
        dropout: see :class:`TransformerDecoderLayer`.
    """

    def __init__(self, width: int, layers: int, heads: int, feedforward_width: int, dropout: float) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.positions = SinusoidalPositions(width)
        self.layers = nn.ModuleList(TransformerDecoderLayer(width, heads, feedforward_width, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, embedded_BTD: Tensor, memory: Memory) -> DecoderOutput:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`; the fused attention keeps no weights."""
        states_BTD = self.positions(embedded_BTD)
        for layer in self._typed_layers():
            states_BTD = layer(states_BTD, layer.cross_attention.project(memory.values_BSD), memory.padding_mask_BS)
        return DecoderOutput(self.norm(states_BTD), None)

    def initial_state(self, memory: Memory) -> TransformerState:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`."""
        values_NSD = memory.values_BSD
        empty_NH0K = values_NSD.new_zeros(values_NSD.size(0), self.heads, 0, self.width // self.heads)
        layers = self._typed_layers()
        cross = tuple(layer.cross_attention.project(values_NSD) for layer in layers)
        return TransformerState(memory, cross, tuple((empty_NH0K, empty_NH0K) for _ in layers))

    def step(self, embedded_ND: Tensor, state: DecoderState) -> DecoderStep:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`; the attention is the last layer's, averaged over heads."""
        assert isinstance(state, TransformerState)
        states_N1D = self.positions(embedded_ND.unsqueeze(1), offset=state.past[0][0].size(2))
        past = []
        for layer, cross, layer_past in zip(self._typed_layers(), state.cross, state.past, strict=True):
            states_N1D, layer_past, weights_N1S = layer.step(states_N1D, cross, layer_past, state.memory.padding_mask_BS)
            past.append(layer_past)
        after = TransformerState(state.memory, state.cross, tuple(past))
        return DecoderStep(self.norm(states_N1D).squeeze(1), after, weights_N1S.squeeze(1))

    def _typed_layers(self) -> list[TransformerDecoderLayer]:
        """The layers, typed."""
        return [layer for layer in self.layers if isinstance(layer, TransformerDecoderLayer)]


def _select_rows(caches: tuple[KeysValues, ...], rows_N: Tensor) -> tuple[KeysValues, ...]:
    """The given rows of each layer's keys and values."""
    return tuple((keys.index_select(0, rows_N), values.index_select(0, rows_N)) for keys, values in caches)
