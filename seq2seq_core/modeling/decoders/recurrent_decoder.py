"""Recurrent decoder (Sutskever 2014): with attention (Luong 2015, section 3) the state is the query.

With attention, the attentional state predicts the next symbol. Where the states do not depend on the attention, teacher forcing
runs each layer over the whole target in one fused call and attends from all positions at once. With input feeding or coverage it
goes step by step.

Shapes: B batch, S source length, T target length, D width, E width of the keys, N rows being decoded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seq2seq_core.config.model import BridgeKind
from seq2seq_core.modeling.decoders.bridge import build_bridge
from seq2seq_core.modeling.layers.attention import Attention
from seq2seq_core.modeling.layers.dropout import Dropout
from seq2seq_core.modeling.layers.recurrent_layer import Cell, CellState, RecurrentLayer
from seq2seq_core.modeling.memory import DecoderOutput, DecoderState, DecoderStep, Memory


@dataclass(frozen=True)
class RecurrentState:
    """The state of a recurrent decoder between two steps.

    Attributes:
        memory: the encoded source of each row.
        keys_NSE: the attention's keys of the memory; the memory itself where there is no attention.
        cells: the state of each layer.
        attentional_ND: the last attentional state, zeros before the first step; read only with input feeding.
        coverage_NS: the sum of the attention's weights so far; read only with coverage.
    """

    memory: Memory
    keys_NSE: Tensor
    cells: tuple[CellState, ...]
    attentional_ND: Tensor
    coverage_NS: Tensor

    def select(self, rows_N: Tensor) -> RecurrentState:
        """See :class:`~seq2seq_core.modeling.memory.DecoderState`."""
        return RecurrentState(
            self.memory.select(rows_N),
            self.keys_NSE.index_select(0, rows_N),
            tuple(tuple(part.index_select(0, rows_N) for part in cell) for cell in self.cells),
            self.attentional_ND.index_select(0, rows_N),
            self.coverage_NS.index_select(0, rows_N),
        )


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

    def initial_state(self, memory: Memory) -> RecurrentState:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`."""
        cells: tuple[CellState, ...] = self.bridge(memory)
        keys_NSE = memory.values_BSD if self.attention is None else self.attention.keys(memory.values_BSD)
        return RecurrentState(memory, keys_NSE, cells, torch.zeros_like(cells[0][0]), torch.zeros_like(memory.values_BSD[..., 0]))

    def forward(self, embedded_BTD: Tensor, memory: Memory) -> DecoderOutput:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`."""
        state = self.initial_state(memory)
        if not (self.input_feeding or self.has_coverage):
            return self._advance(embedded_BTD, state)[0]
        outputs = []
        for embedded_BD in embedded_BTD.unbind(dim=1):
            output, state = self._advance(self._feed(embedded_BD, state).unsqueeze(1), state)
            outputs.append(output)
        weights = [output.attention_BTS for output in outputs if output.attention_BTS is not None]
        return DecoderOutput(torch.cat([output.features_BTD for output in outputs], dim=1), torch.cat(weights, dim=1))

    def step(self, embedded_ND: Tensor, state: DecoderState) -> DecoderStep:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`."""
        assert isinstance(state, RecurrentState)
        output, state = self._advance(self._feed(embedded_ND, state).unsqueeze(1), state)
        attention_N1S = output.attention_BTS
        return DecoderStep(output.features_BTD.squeeze(1), state, None if attention_N1S is None else attention_N1S.squeeze(1))

    def _feed(self, embedded_ND: Tensor, state: RecurrentState) -> Tensor:
        """The embedded symbol; with input feeding, joined with the previous attentional state."""
        return torch.cat([embedded_ND, state.attentional_ND], dim=-1) if self.input_feeding else embedded_ND

    def _advance(self, inputs_BTI: Tensor, state: RecurrentState) -> tuple[DecoderOutput, RecurrentState]:
        """The output of one or more positions, and the state after them.

        The attentional state is tanh(W [context; hidden])  (Luong 2015, equation 5).
        """
        hidden_BTD, cells = inputs_BTI, []
        for number, layer in enumerate(self.layers):
            below_BTD = self.dropout(hidden_BTD) if number else hidden_BTD
            hidden_BTD, cell = layer(below_BTD, state.cells[number])
            cells.append(cell)
            if self.is_residual and number:
                hidden_BTD = hidden_BTD + below_BTD
        if self.attention is None or self.combination is None:
            after = RecurrentState(state.memory, state.keys_NSE, tuple(cells), state.attentional_ND, state.coverage_NS)
            return DecoderOutput(self.dropout(hidden_BTD), None), after
        memory, coverage_BS = state.memory, state.coverage_NS
        context_BTD, weights_BTS = self.attention(
            hidden_BTD, state.keys_NSE, memory.values_BSD, memory.padding_mask_BS, coverage_BS
        )
        attentional_BTD = self.dropout(torch.tanh(self.combination(torch.cat([context_BTD, hidden_BTD], dim=-1))))
        if self.has_coverage:
            coverage_BS = coverage_BS + weights_BTS.squeeze(1)
        after = RecurrentState(memory, state.keys_NSE, tuple(cells), attentional_BTD[:, -1], coverage_BS)
        return DecoderOutput(attentional_BTD, weights_BTS), after
