"""Transformer decoder (Vaswani 2017, section 3.1) with a cache of keys and values for step-by-step decoding.

Shapes: B batch, S source length, T target length, D width, N rows being decoded, H heads, K width of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.layers.dropout import Dropout
from seq2seq_core.modeling.layers.feed_forward import FeedForward
from seq2seq_core.modeling.layers.multi_head_attention import MultiHeadAttention
from seq2seq_core.modeling.layers.packing import Packing
from seq2seq_core.modeling.layers.positions import build_positions
from seq2seq_core.modeling.layers.sublayer import connect, run_layer
from seq2seq_core.modeling.layers.transformer_shape import TransformerShape
from seq2seq_core.modeling.memory import DecoderOutput, DecoderState, DecoderStep, Memory

KeysValues = tuple[Tensor, Tensor]
"""Projected keys and values of one attention, each (N, H, length, K)."""


@dataclass(frozen=True)
class TransformerState:
    """The state of a Transformer decoder between two steps.

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
        shape: sizes and kind of the layer.
    """

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.is_pre_norm = shape.is_pre_norm
        self.self_attention_norm = nn.LayerNorm(shape.width)
        self.self_attention = shape.self_attention()
        self.cross_attention_norm = nn.LayerNorm(shape.width)
        self.cross_attention = MultiHeadAttention(shape.width, shape.heads, shape.dropout)
        self.feed_forward_norm = nn.LayerNorm(shape.width)
        self.feed_forward = FeedForward(shape.width, shape.feedforward_width, shape.dropout)
        self.dropout = Dropout(shape.dropout)

    def forward(
        self,
        inputs_BTD: Tensor,
        cross: KeysValues,
        padding_mask_BS: Tensor,
        keep_weights: bool = False,
        packings: tuple[Packing, Packing] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """The outputs for whole targets; each position sees the target up to itself.

        Args:
            inputs_BTD: inputs of the layer.
            cross: keys and values of the memory.
            padding_mask_BS: bool, True where the memory is padding.
            keep_weights: whether to return the attention's weights over the memory; the fused attention gives none.
            packings: packings of targets and memory, if they are packed; ``keep_weights`` must then be false.

        Returns:
            outputs_BTD, and weights_BTS or None.
        """

        def attend_self(states_BTD: Tensor) -> Tensor:
            return self.self_attention.attend_self(states_BTD, is_causal=True, packing=packings and packings[0])

        def attend_memory(states_BTD: Tensor) -> Tensor:
            attended_BTD: Tensor = self.cross_attention(states_BTD, *cross, padding_mask_BS, packings=packings)
            return attended_BTD

        inputs_BTD = self._connect(inputs_BTD, attend_self, self.self_attention_norm)
        if keep_weights:
            return self._attend_memory(inputs_BTD, cross, padding_mask_BS)
        inputs_BTD = self._connect(inputs_BTD, attend_memory, self.cross_attention_norm)
        return self._connect(inputs_BTD, self.feed_forward, self.feed_forward_norm), None

    def step(
        self, inputs_N1D: Tensor, cross: KeysValues, past: KeysValues, padding_mask_NS: Tensor
    ) -> tuple[Tensor, KeysValues, Tensor]:
        """The output_N1D of one more position, the extended past, and the attention weights_N1S over the memory."""
        position = past[0].size(2)

        def attend_self(states_N1D: Tensor) -> Tensor:
            nonlocal past
            keys_NH1K, values_NH1K = self.self_attention.project(states_N1D, offset=position)
            past = (torch.cat([past[0], keys_NH1K], dim=2), torch.cat([past[1], values_NH1K], dim=2))
            attended_N1D: Tensor = self.self_attention(states_N1D, *past, offset=position)
            return attended_N1D

        inputs_N1D = self._connect(inputs_N1D, attend_self, self.self_attention_norm)
        outputs_N1D, weights_N1S = self._attend_memory(inputs_N1D, cross, padding_mask_NS)
        return outputs_N1D, past, weights_N1S

    def _attend_memory(self, inputs_BTD: Tensor, cross: KeysValues, padding_mask_BS: Tensor) -> tuple[Tensor, Tensor]:
        """The attention over the memory with its weights_BTS, and the feed-forward sublayer."""
        weights: list[Tensor] = []

        def attend(states_BTD: Tensor) -> Tensor:
            attended_BTD, weights_BTS = self.cross_attention.attend_with_weights(states_BTD, *cross, padding_mask_BS)
            weights.append(weights_BTS)
            return attended_BTD

        inputs_BTD = self._connect(inputs_BTD, attend, self.cross_attention_norm)
        return self._connect(inputs_BTD, self.feed_forward, self.feed_forward_norm), weights[0]

    def _connect(self, inputs_BTD: Tensor, sublayer: Callable[[Tensor], Tensor], norm: nn.Module) -> Tensor:
        """One sublayer with its residual, dropout and norm."""
        return connect(inputs_BTD, sublayer, norm, self.dropout, self.is_pre_norm)


class TransformerDecoder(nn.Module):
    """Positions, a stack of layers and a final norm.

    Args:
        shape: sizes and kind of each layer.
        layers: number of layers.
        keep_attention: whether teacher forcing gives the last layer's attention, averaged over heads; it is slower.

    Attributes:
        recomputes: see :class:`~seq2seq_core.modeling.encoders.transformer_encoder.TransformerEncoder`.
        is_packable: the same.
    """

    def __init__(self, shape: TransformerShape, layers: int, keep_attention: bool = False) -> None:
        super().__init__()
        self.width, self.heads, self.keep_attention = shape.width, shape.heads, keep_attention
        self.is_packable = not keep_attention
        self.positions = build_positions(shape.positions, shape.width, shape.max_positions)
        self.layers = nn.ModuleList(TransformerDecoderLayer(shape) for _ in range(layers))
        self.norm = shape.final_norm()
        self.recomputes = False

    def forward(self, embedded_BTD: Tensor, memory: Memory, packings: tuple[Packing, Packing] | None = None) -> DecoderOutput:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`.

        Args:
            embedded_BTD: embedded targets.
            memory: the encoded sources.
            packings: packings of targets and memory: layers then skip padding, where features are 0; not with
                ``keep_attention``.
        """
        states_BTD, values_BSD, weights_BTS = self.positions(embedded_BTD), memory.values_BSD, None
        if packings is not None:
            states_BTD, values_BSD = packings[0].pack(states_BTD), packings[1].pack(values_BSD)
        layers = self._typed_layers()
        for layer in layers:
            cross = layer.cross_attention.project(values_BSD)
            keep_weights = self.keep_attention and layer is layers[-1]
            inputs = (states_BTD, cross, memory.padding_mask_BS, keep_weights, packings)
            states_BTD, weights_BTS = run_layer(layer, self.recomputes, *inputs)
        features_BTD = self.norm(states_BTD)
        return DecoderOutput(features_BTD if packings is None else packings[0].unpack(features_BTD), weights_BTS)

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
