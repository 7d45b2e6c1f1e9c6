"""One recurrent layer in one direction, with the state as a plain tuple so that every cell is used alike.

Shapes: B batch, N rows being decoded, T length, I input width, D width of the hidden state, G width of all gates together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.layers.packed_weights import linear

Cell = Literal["rnn", "gru", "lstm"]
"""The recurrent cell: Elman's (1990) with tanh, gated recurrent unit (Cho 2014) or long short-term memory (Hochreiter and
Schmidhuber 1997)."""

CellState = tuple[Tensor, ...]
"""The state of a cell, each part (B, D): ``(hidden, cell)`` for an LSTM, else ``(hidden,)``."""

_LAYERS: dict[Cell, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
STATE_PARTS: dict[Cell, int] = {"rnn": 1, "gru": 1, "lstm": 2}
"""Tensors in a state."""


class RecurrentLayer(nn.Module):
    """A whole sequence through one cell, by the fused kernels of ``torch.nn``.

    Args:
        cell: the cell type.
        input_width: I.
        width: D.
    """

    def __init__(self, cell: Cell, input_width: int, width: int) -> None:
        super().__init__()
        self.cell = cell
        self.width = width
        self.layer = _LAYERS[cell](input_width, width, batch_first=True)
        self._initialise()

    def _initialise(self) -> None:
        """Xavier for inputs, orthogonal for the recurrence, and an LSTM's forget bias of 1 (Jozefowicz 2015)."""
        for name, parameter in self.layer.named_parameters():
            if name.startswith("weight_ih"):
                for gate in parameter.data.chunk(parameter.size(0) // self.width):
                    nn.init.xavier_uniform_(gate)
            elif name.startswith("weight_hh"):
                for gate in parameter.data.chunk(parameter.size(0) // self.width):
                    nn.init.orthogonal_(gate)
            else:
                nn.init.zeros_(parameter)
                if self.cell == "lstm" and name.startswith("bias_ih"):
                    parameter.data[self.width : 2 * self.width] = 1.0

    def zero_state(self, batch: int, like: Tensor) -> CellState:
        """A state of zeros for ``batch`` rows, with the device and type of ``like``."""
        return tuple(like.new_zeros(batch, self.width) for _ in range(STATE_PARTS[self.cell]))

    def forward(self, inputs_BTI: Tensor, state: CellState) -> tuple[Tensor, CellState]:
        """The hidden state at every position, and the state after the last one.

        Args:
            inputs_BTI: the sequence.
            state: before the first position.

        Returns:
            outputs_BTD and the last state.
        """
        stacked = tuple(part.unsqueeze(0) for part in state)
        if isinstance(self.layer, nn.LSTM):
            outputs_BTD, (hidden_1BD, cell_1BD) = self.layer(inputs_BTI, (stacked[0], stacked[1]))
            return outputs_BTD, (hidden_1BD.squeeze(0), cell_1BD.squeeze(0))
        outputs_BTD, hidden_1BD = self.layer(inputs_BTI, stacked[0])
        return outputs_BTD, (hidden_1BD.squeeze(0),)

    def step(self, inputs_NI: Tensor, state: CellState) -> CellState:
        """The state after one more position: the same as :meth:`forward`, written out so that packed weights are used.

        Args:
            inputs_NI: the inputs of the position.
            state: before it.
        """
        weight = self.layer.get_parameter
        from_input_NG = linear(inputs_NI, weight("weight_ih_l0"), weight("bias_ih_l0"))
        from_hidden_NG = linear(state[0], weight("weight_hh_l0"), weight("bias_hh_l0"))
        return _STEPS[self.cell](from_input_NG, from_hidden_NG, state)


def _step_rnn(from_input_ND: Tensor, from_hidden_ND: Tensor, _state: CellState) -> CellState:
    """H' = tanh(x + h)  (Elman 1990), of projected input and hidden state."""
    return (torch.tanh(from_input_ND + from_hidden_ND),)


def _step_gru(from_input_NG: Tensor, from_hidden_NG: Tensor, state: CellState) -> CellState:
    """H' = (1 - z) n + z h, where n = tanh(x + r h)  (Cho 2014, equations 5 to 8, with PyTorch's place of the reset gate)."""
    width = state[0].shape[1]
    gates_NG = torch.sigmoid(from_input_NG[:, : 2 * width] + from_hidden_NG[:, : 2 * width])
    reset_ND, update_ND = gates_NG.chunk(2, dim=1)
    new_ND = torch.tanh(from_input_NG[:, 2 * width :] + reset_ND * from_hidden_NG[:, 2 * width :])
    return (new_ND + update_ND * (state[0] - new_ND),)


def _step_lstm(from_input_NG: Tensor, from_hidden_NG: Tensor, state: CellState) -> CellState:
    """C' = f c + i g and h' = o tanh(c')  (Hochreiter and Schmidhuber 1997; with the forget gate of Gers 2000)."""
    input_ND, forget_ND, new_ND, output_ND = (from_input_NG + from_hidden_NG).chunk(4, dim=1)
    cell_ND = torch.sigmoid(forget_ND) * state[1] + torch.sigmoid(input_ND) * torch.tanh(new_ND)
    return torch.sigmoid(output_ND) * torch.tanh(cell_ND), cell_ND


_STEPS: dict[Cell, Callable[[Tensor, Tensor, CellState], CellState]] = {"rnn": _step_rnn, "gru": _step_gru, "lstm": _step_lstm}
