"""One recurrent layer in one direction, with the state as a plain tuple so that every cell is used alike.

Shapes: B batch, T length, I input width, D width of the hidden state.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

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
