"""Transformer decoder (Vaswani 2017, section 3.1) with a cache of keys and values for step-by-step decoding.

Shapes: B batch, S source length, T target length, D width, N rows being decoded, H heads, K width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.layers.dropout import Dropout
from seq2seq_core.modeling.layers.feed_forward import FeedForward
from seq2seq_core.modeling.layers.key_value_cache import KeysValues, KeyValueCache
from seq2seq_core.modeling.layers.multi_head_attention import MultiHeadAttention
from seq2seq_core.modeling.layers.packing import Packing
from seq2seq_core.modeling.layers.positions import build_positions
from seq2seq_core.modeling.layers.sublayer import connect, layers_in_order, run_layer
from seq2seq_core.modeling.layers.transformer_shape import TransformerShape
from seq2seq_core.modeling.memory import DecoderOutput, DecoderState, DecoderStep, Memory


@dataclass(frozen=True)
class TransformerState:
    """The state of a Transformer decoder between two steps.

    Attributes:
        memory: the encoded source of each sentence.
        cross: each layer's keys and values of the memory, a row for each sentence.
        past: each layer's keys and values of the target so far, a row for each hypothesis.
        bias_B11S: minus infinity where the memory is padding, else 0; None if there is no padding.
        keep_attention: whether steps give their attention.
    """

    memory: Memory
    cross: tuple[KeysValues, ...]
    past: tuple[KeyValueCache, ...]
    bias_B11S: Tensor | None
    keep_attention: bool

    def select(self, rows_N: Tensor, sentences_B: Tensor | None = None) -> TransformerState:
        """See :class:`~seq2seq_core.modeling.memory.DecoderState`."""
        if not _is_in_order(rows_N, self.past[0].num_rows):
            for cache in self.past:
                cache.select(rows_N)
        if sentences_B is None:
            return self
        cross = tuple((keys.index_select(0, sentences_B), values.index_select(0, sentences_B)) for keys, values in self.cross)
        memory = self.memory.select(sentences_B)
        return replace(self, memory=memory, cross=cross, bias_B11S=_bias(memory))


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

    def step(self, inputs_N1D: Tensor, cross: KeysValues, past: KeyValueCache, bias_B11S: Tensor | None) -> tuple[Tensor, Tensor]:
        """The output_N1D of one more position, which joins the past, and each head's weights_BHTS over the memory.

        The hypotheses of a sentence stand where target positions stand in teacher forcing: T of them share its memory.
        """
        position = past.length
        weights: list[Tensor] = []

        def attend_self(states_N1D: Tensor) -> Tensor:
            keys_values = past.append(*self.self_attention.project(states_N1D, offset=position))
            return self.self_attention.attend_step(states_N1D, *keys_values, offset=position)[0]

        def attend_memory(states_N1D: Tensor) -> Tensor:
            states_BTD = states_N1D.view(cross[0].size(0), -1, states_N1D.size(-1))
            attended_BTD, weights_BHTS = self.cross_attention.attend_step(states_BTD, *cross, bias_B11S)
            weights.append(weights_BHTS)
            return attended_BTD.view_as(states_N1D)

        inputs_N1D = self._connect(inputs_N1D, attend_self, self.self_attention_norm)
        inputs_N1D = self._connect(inputs_N1D, attend_memory, self.cross_attention_norm)
        return self._connect(inputs_N1D, self.feed_forward, self.feed_forward_norm), weights[0]

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
        depth: see :class:`~seq2seq_core.modeling.encoders.transformer_encoder.TransformerEncoder`.
        recomputes: the same.
        is_packable: the same.
    """

    def __init__(self, shape: TransformerShape, layers: int, keep_attention: bool = False) -> None:
        super().__init__()
        self.width, self.heads, self.keep_attention = shape.width, shape.heads, keep_attention
        self.is_packable = not keep_attention
        self.positions = build_positions(shape.positions, shape.width, shape.max_positions)
        self.depth = layers
        self.layers = nn.ModuleList(TransformerDecoderLayer(shape) for _ in range(shape.num_weights(layers)))
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
        for number, layer in enumerate(self._typed_layers(), start=1):
            cross = layer.cross_attention.project(values_BSD)
            keep_weights = self.keep_attention and number == self.depth
            inputs = (states_BTD, cross, memory.padding_mask_BS, keep_weights, packings)
            states_BTD, weights_BTS = run_layer(layer, self.recomputes, *inputs)
        features_BTD = self.norm(states_BTD)
        return DecoderOutput(features_BTD if packings is None else packings[0].unpack(features_BTD), weights_BTS)

    def initial_state(self, memory: Memory, keep_attention: bool = True) -> TransformerState:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`."""
        values_BSD, layers = memory.values_BSD, self._typed_layers()
        empty_BH0K = values_BSD.new_empty(values_BSD.size(0), self.heads, 0, self.width // self.heads)
        projected = [layer.cross_attention.project(values_BSD) for layer in layers]
        cross = tuple((keys_BHSK.contiguous(), values_BHSK.contiguous()) for keys_BHSK, values_BHSK in projected)
        past = tuple(KeyValueCache(empty_BH0K, empty_BH0K) for _ in layers)
        return TransformerState(memory, cross, past, _bias(memory), keep_attention)

    def step(self, embedded_ND: Tensor, state: DecoderState) -> DecoderStep:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`; the attention is the last layer's, averaged over heads."""
        assert isinstance(state, TransformerState)
        states_N1D = self.positions(embedded_ND.unsqueeze(1), offset=state.past[0].length)
        for layer, cross, past in zip(self._typed_layers(), state.cross, state.past, strict=True):
            states_N1D, weights_BHTS = layer.step(states_N1D, cross, past, state.bias_B11S)
        attention_NS = weights_BHTS.mean(dim=1).flatten(0, 1) if state.keep_attention else None
        return DecoderStep(self.norm(states_N1D).squeeze(1), state, attention_NS)

    def _typed_layers(self) -> list[TransformerDecoderLayer]:
        """The layers as they are run, typed."""
        return [layer for layer in layers_in_order(self.layers, self.depth) if isinstance(layer, TransformerDecoderLayer)]


def _bias(memory: Memory) -> Tensor | None:
    """The bias_B11S that hides a memory's padding; None if there is none."""
    padding_mask_BS = memory.padding_mask_BS
    if not bool(padding_mask_BS.any()):
        return None
    return torch.zeros_like(padding_mask_BS, dtype=memory.values_BSD.dtype).masked_fill_(padding_mask_BS, -math.inf)[:, None, None]


def _is_in_order(rows_N: Tensor, num_rows: int) -> bool:
    """Whether these are all rows, each in its place; on a GPU it is cheaper not to ask."""
    is_asked = rows_N.device.type == "cpu" and rows_N.size(0) == num_rows
    return is_asked and bool(torch.equal(rows_N, torch.arange(num_rows)))
