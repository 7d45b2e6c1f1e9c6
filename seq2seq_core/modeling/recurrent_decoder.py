"""Recurrent decoder with attention (Luong 2015, section 3): the cell's state asks, the attentional state predicts.

Without input feeding the states do not depend on the attention, so that teacher forcing runs each layer over the whole target in
one fused call and attends from all positions at once. With input feeding it goes step by step.

Shapes: B batch, S source length, T target length, D width, N rows being decoded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.attention import Attention
from seq2seq_core.modeling.bridge import SummaryBridge
from seq2seq_core.modeling.memory import DecoderOutput, DecoderState, DecoderStep, Memory
from seq2seq_core.modeling.recurrent_layer import Cell, CellState, RecurrentLayer


@dataclass(frozen=True)
class RecurrentState:
    """What a recurrent decoder carries from step to step.

    Attributes:
        memory: the encoded source of each row.
        keys_NSD: the attention's keys of the memory.
        cells: the state of each layer.
        attentional_ND: the last attentional state, zeros before the first step; read only with input feeding.
    """

    memory: Memory
    keys_NSD: Tensor
    cells: tuple[CellState, ...]
    attentional_ND: Tensor

    def select(self, rows_N: Tensor) -> RecurrentState:
        """See :class:`~seq2seq_core.modeling.memory.DecoderState`."""
        return RecurrentState(
            self.memory.select(rows_N),
            self.keys_NSD.index_select(0, rows_N),
            tuple(tuple(part.index_select(0, rows_N) for part in cell) for cell in self.cells),
            self.attentional_ND.index_select(0, rows_N),
        )


class RecurrentDecoder(nn.Module):
    """A stack of recurrent layers, an attention and the attentional state.

    Args:
        cell: which cell.
        width: D.
        layers: number of layers.
        attention: how the memory is attended to.
        input_feeding: whether the previous attentional state is part of the input (Luong 2015, section 3.3).
        dropout: probability of dropping an element between layers and of the attentional state in training.
    """

    def __init__(self, cell: Cell, width: int, layers: int, attention: Attention, input_feeding: bool, dropout: float) -> None:
        super().__init__()
        self.input_feeding = input_feeding
        input_widths = [2 * width if input_feeding else width] + [width] * (layers - 1)
        self.layers = nn.ModuleList(RecurrentLayer(cell, input_width, width) for input_width in input_widths)
        self.bridge = SummaryBridge(width, layers)
        self.attention = attention
        self.combination = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def initial_state(self, memory: Memory) -> RecurrentState:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`."""
        hidden = self.bridge(memory)
        cells = tuple(layer.state_from(hidden_ND) for layer, hidden_ND in zip(self._recurrent_layers(), hidden, strict=True))
        return RecurrentState(memory, self.attention.keys(memory.values_BSD), cells, torch.zeros_like(hidden[0]))

    def forward(self, embedded_BTD: Tensor, memory: Memory) -> DecoderOutput:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`."""
        state = self.initial_state(memory)
        if not self.input_feeding:
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
        inputs_ND = self._feed(embedded_ND, state) if self.input_feeding else embedded_ND
        output, state = self._advance(inputs_ND.unsqueeze(1), state)
        assert output.attention_BTS is not None
        return DecoderStep(output.features_BTD.squeeze(1), state, output.attention_BTS.squeeze(1))

    def _feed(self, embedded_ND: Tensor, state: RecurrentState) -> Tensor:
        """The embedded symbol beside the previous attentional state."""
        return torch.cat([embedded_ND, state.attentional_ND], dim=-1)

    def _advance(self, inputs_BTI: Tensor, state: RecurrentState) -> tuple[DecoderOutput, RecurrentState]:
        """The output of one or more positions, and the state after them.

        The attentional state is tanh(W [context; hidden])  (Luong 2015, equation 5).
        """
        hidden_BTD, cells = inputs_BTI, []
        for number, layer in enumerate(self.layers):
            hidden_BTD, cell = layer(self.dropout(hidden_BTD) if number else hidden_BTD, state.cells[number])
            cells.append(cell)
        memory = state.memory
        context_BTD, weights_BTS = self.attention(hidden_BTD, state.keys_NSD, memory.values_BSD, memory.padding_mask_BS)
        attentional_BTD = self.dropout(torch.tanh(self.combination(torch.cat([context_BTD, hidden_BTD], dim=-1))))
        after = RecurrentState(memory, state.keys_NSD, tuple(cells), attentional_BTD[:, -1])
        return DecoderOutput(attentional_BTD, weights_BTS), after

    def _recurrent_layers(self) -> list[RecurrentLayer]:
        """The layers, typed."""
        return [layer for layer in self.layers if isinstance(layer, RecurrentLayer)]
