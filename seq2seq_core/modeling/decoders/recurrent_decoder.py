"""Recurrent decoder (Sutskever 2014): with attention (Luong 2015, section 3) the state is the query.

With attention, the attentional state predicts the next symbol. Where the states do not depend on the attention, teacher forcing
runs each layer over the whole target in one fused call and attends from all positions at once. With input feeding or coverage it
goes step by step.

Shapes: B batch, S source length, T target length, D width, E width of the keys, N rows being decoded,
K hypotheses of a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from seq2seq_core.config.model import BridgeKind
from seq2seq_core.modeling.decoders.bridge import build_bridge
from seq2seq_core.modeling.layers.attention import Attention
from seq2seq_core.modeling.layers.dropout import Dropout
from seq2seq_core.modeling.layers.packed_weights import linear
from seq2seq_core.modeling.layers.recurrent_layer import Cell, CellState, RecurrentLayer
from seq2seq_core.modeling.memory import DecoderOutput, DecoderState, DecoderStep, Memory


@dataclass(frozen=True)
class RecurrentState:
    """The state of a recurrent decoder between two steps.

    Attributes:
        memory: the encoded source of each sentence.
        keys_BSE: the attention's keys of the memory; the memory itself where there is no attention.
        cells: the state of each layer, a row for each hypothesis.
        attentional_ND: the last attentional state, zeros before the first step; read only with input feeding.
        coverage_NS: the sum of the attention's weights so far; read only with coverage.
    """

    memory: Memory
    keys_BSE: Tensor
    cells: tuple[CellState, ...]
    attentional_ND: Tensor
    coverage_NS: Tensor

    def select(self, rows_N: Tensor, sentences_B: Tensor | None = None) -> RecurrentState:
        """See :class:`~seq2seq_core.modeling.memory.DecoderState`."""
        memory, keys_BSE = self.memory, self.keys_BSE
        if sentences_B is not None:
            is_memory = keys_BSE is memory.values_BSD
            memory = memory.select(sentences_B)
            keys_BSE = memory.values_BSD if is_memory else keys_BSE.index_select(0, sentences_B)
        cells = tuple(tuple(part.index_select(0, rows_N) for part in cell) for cell in self.cells)
        attentional_ND, coverage_NS = self.attentional_ND.index_select(0, rows_N), self.coverage_NS.index_select(0, rows_N)
        return RecurrentState(memory, keys_BSE, cells, attentional_ND, coverage_NS)


class RecurrentDecoder(nn.Module):
    """A stack of recurrent layers, an attention and the attentional state.

    Args:
        cell: the cell type.
        width: D.
        layers: number of layers.
        attention: attention over the memory; None: the decoder gets the source by its initial state alone.
        input_feeding: whether the previous attentional state is part of the input (Luong 2015, section 3.3).
        dropout: probability of dropping an element between layers and of the attentional state in training.
        bridge: what the initial state is made from.
        is_residual: whether layers, from the second on, add their input to their output (Wu 2016, equation 6).
    """

    def __init__(
        self,
        cell: Cell,
        width: int,
        layers: int,
        attention: Attention | None,
        input_feeding: bool,
        dropout: float,
        bridge: BridgeKind = "last",
        is_residual: bool = False,
    ) -> None:
        super().__init__()
        self.input_feeding, self.is_residual = input_feeding, is_residual
        input_widths = [2 * width if input_feeding else width] + [width] * (layers - 1)
        self.layers = nn.ModuleList(RecurrentLayer(cell, input_width, width) for input_width in input_widths)
        self.bridge = build_bridge(bridge, cell, width, layers)
        self.attention = attention
        self.has_coverage = attention is not None and attention.has_coverage
        self.combination = nn.Linear(2 * width, width) if attention is not None else None
        self.dropout = Dropout(dropout)

    def initial_state(self, memory: Memory, keep_attention: bool = True) -> RecurrentState:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`; the attention costs nothing more to keep."""
        cells: tuple[CellState, ...] = self.bridge(memory)
        keys_BSE = memory.values_BSD if self.attention is None else self.attention.keys(memory.values_BSD)
        return RecurrentState(memory, keys_BSE, cells, torch.zeros_like(cells[0][0]), torch.zeros_like(memory.values_BSD[..., 0]))

    def forward(self, embedded_BTD: Tensor, memory: Memory) -> DecoderOutput:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`."""
        state = self.initial_state(memory)
        if not (self.input_feeding or self.has_coverage):
            return self._attend(self._run_layers(embedded_BTD, state.cells)[0], state)
        outputs = []
        for embedded_BD in embedded_BTD.unbind(dim=1):
            hidden_B1D, cells = self._run_layers(self._feed(embedded_BD, state).unsqueeze(1), state.cells)
            outputs.append(self._attend(hidden_B1D, state))
            state = self._after(state, cells, outputs[-1])
        weights = [output.attention_BTS for output in outputs if output.attention_BTS is not None]
        return DecoderOutput(torch.cat([output.features_BTD for output in outputs], dim=1), torch.cat(weights, dim=1))

    def step(self, embedded_ND: Tensor, state: DecoderState) -> DecoderStep:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`."""
        assert isinstance(state, RecurrentState)
        hidden_ND, cells = self._feed(embedded_ND, state), []
        for number, layer in enumerate(self._typed_layers()):
            cells.append(layer.step(hidden_ND, state.cells[number]))
            hidden_ND = hidden_ND + cells[-1][0] if self.is_residual and number else cells[-1][0]
        # The hypotheses of a sentence stand where target positions stand in teacher forcing.
        output = self._attend(hidden_ND.view(len(state.keys_BSE), -1, hidden_ND.shape[1]), state, is_step=True)
        weights_BKS = output.attention_BTS
        weights_NS = None if weights_BKS is None else weights_BKS.flatten(0, 1)
        return DecoderStep(output.features_BTD.flatten(0, 1), self._after(state, cells, output), weights_NS)

    def _feed(self, embedded_ND: Tensor, state: RecurrentState) -> Tensor:
        """The embedded symbol; with input feeding, joined with the previous attentional state."""
        return torch.cat([embedded_ND, state.attentional_ND], dim=-1) if self.input_feeding else embedded_ND

    def _run_layers(self, inputs_BTI: Tensor, before: Sequence[CellState]) -> tuple[Tensor, list[CellState]]:
        """The hidden states of one or more positions, hidden_BTD, and each layer's state after them."""
        hidden_BTD, cells = inputs_BTI, []
        for number, layer in enumerate(self.layers):
            below_BTD = self.dropout(hidden_BTD) if number else hidden_BTD
            hidden_BTD, cell = layer(below_BTD, before[number])
            cells.append(cell)
            if self.is_residual and number:
                hidden_BTD = hidden_BTD + below_BTD
        return hidden_BTD, cells

    def _attend(self, hidden_BTD: Tensor, state: RecurrentState, is_step: bool = False) -> DecoderOutput:
        """The output of one or more positions, or of the hypotheses of a step.

        The attentional state is tanh(W [context; hidden])  (Luong 2015, equation 5).
        """
        if self.attention is None or self.combination is None:
            return DecoderOutput(self.dropout(hidden_BTD), None)
        memory, coverage_BTS = state.memory, state.coverage_NS.view(len(state.keys_BSE), -1, state.coverage_NS.shape[1])
        context_BTD, weights_BTS = self.attention(
            hidden_BTD, state.keys_BSE, memory.values_BSD, memory.padding_mask_BS, coverage_BTS, is_step
        )
        both_BTE = torch.cat([context_BTD, hidden_BTD], dim=-1)
        attentional_BTD = self.dropout(torch.tanh(linear(both_BTE, self.combination.weight, self.combination.bias)))
        return DecoderOutput(attentional_BTD, weights_BTS)

    def _after(self, state: RecurrentState, cells: Sequence[CellState], output: DecoderOutput) -> RecurrentState:
        """The state after an output for one position of every row."""
        if output.attention_BTS is None:
            return replace(state, cells=tuple(cells))
        coverage_NS = state.coverage_NS + output.attention_BTS.flatten(0, 1) if self.has_coverage else state.coverage_NS
        return replace(state, cells=tuple(cells), attentional_ND=output.features_BTD.flatten(0, 1), coverage_NS=coverage_NS)

    def _typed_layers(self) -> list[RecurrentLayer]:
        """The layers, typed."""
        return [layer for layer in self.layers if isinstance(layer, RecurrentLayer)]
