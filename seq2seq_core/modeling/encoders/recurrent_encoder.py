"""Recurrent encoder, in one direction or in both (Schuster and Paliwal 1997; Bahdanau 2015, section 3.2).

The backward direction reads each source reversed within its own length, so that padding stays behind the last valid position in
both directions and never affects it. The result is that of packed sequences, without sorting or reading lengths back from a GPU.

Shapes: B batch, S source length, D width, W width of one direction (D / 2).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.encoders.time_reduction import TimeReductions
from seq2seq_core.modeling.layers.dropout import Dropout
from seq2seq_core.modeling.layers.recurrent_layer import Cell, RecurrentLayer
from seq2seq_core.modeling.memory import Memory


class BidirectionalLayer(nn.Module):
    """One layer, both directions, their states side by side.

    Args:
        cell: the cell type.
        width: D, even.
    """

    def __init__(self, cell: Cell, width: int) -> None:
        super().__init__()
        self.ahead = RecurrentLayer(cell, width, width // 2)
        self.back = RecurrentLayer(cell, width, width // 2)

    def forward(self, inputs_BSD: Tensor, mirror_BS: Tensor) -> Tensor:
        """The states of both directions.

        Args:
            inputs_BSD: the layer's inputs.
            mirror_BS: from :func:`mirror_positions`.

        Returns:
            outputs_BSD, the forward direction in the first half of D.
        """
        zero = self.ahead.zero_state(inputs_BSD.size(0), like=inputs_BSD)
        ahead_BSW, _ = self.ahead(inputs_BSD, zero)
        back_BSW, _ = self.back(_take_positions(inputs_BSD, mirror_BS), zero)
        return torch.cat([ahead_BSW, _take_positions(back_BSW, mirror_BS)], dim=-1)


class UnidirectionalLayer(nn.Module):
    """One layer that reads the source from its beginning to its end.

    Args:
        cell: the cell type.
        width: D.
    """

    def __init__(self, cell: Cell, width: int) -> None:
        super().__init__()
        self.ahead = RecurrentLayer(cell, width, width)

    def forward(self, inputs_BSD: Tensor, mirror_BS: Tensor) -> Tensor:
        """The states outputs_BSD; no mirror is needed."""
        outputs_BSD, _ = self.ahead(inputs_BSD, self.ahead.zero_state(inputs_BSD.size(0), like=inputs_BSD))
        states_BSD: Tensor = outputs_BSD
        return states_BSD


class RecurrentEncoder(nn.Module):
    """A stack of layers with dropout between them.

    Args:
        cell: the cell type.
        width: D, even.
        layers: number of layers.
        dropout: probability of dropping an element between layers in training.
        is_bidirectional: whether each layer reads in both directions.
        is_residual: whether layers, from the second on, add their input to their output (Wu 2016, equation 6).
        time_reduction: halvings of the time axis, one before each of the last layers (Chan 2016).
    """

    def __init__(
        self,
        cell: Cell,
        width: int,
        layers: int,
        dropout: float,
        is_bidirectional: bool = True,
        is_residual: bool = False,
        time_reduction: int = 0,
    ) -> None:
        super().__init__()
        layer = BidirectionalLayer if is_bidirectional else UnidirectionalLayer
        self.layers = nn.ModuleList(layer(cell, width) for _ in range(layers))
        self.dropout = Dropout(dropout)
        self.is_bidirectional, self.is_residual = is_bidirectional, is_residual
        self.reductions = TimeReductions(width, layers, time_reduction)

    def forward(self, embedded_BSD: Tensor, padding_mask_BS: Tensor) -> Memory:
        """The memory; its summary is the last state of the forward direction (beside the last one of the backward direction).

        Args:
            embedded_BSD: embedded sources.
            padding_mask_BS: bool, True at padding, which stands behind each source.
        """
        states_BSD = embedded_BSD
        for number, layer in enumerate(self.layers):
            states_BSD, padding_mask_BS = self.reductions(states_BSD, padding_mask_BS, number)
            inputs_BSD = self.dropout(states_BSD) if number else states_BSD
            lengths_B = (~padding_mask_BS).sum(dim=1)
            outputs_BSD = layer(inputs_BSD, mirror_positions(lengths_B, inputs_BSD.size(1)))
            states_BSD = outputs_BSD + inputs_BSD if self.is_residual and number else outputs_BSD
        values_BSD = states_BSD.masked_fill(padding_mask_BS.unsqueeze(-1), 0.0)
        return Memory(values_BSD, padding_mask_BS, self._summary(states_BSD, lengths_B))

    def _summary(self, states_BSD: Tensor, lengths_B: Tensor) -> Tensor:
        """The state of each direction after the whole source: summary_BD."""
        rows_B = torch.arange(len(lengths_B), device=lengths_B.device)
        last_BD = states_BSD[rows_B, lengths_B - 1]
        if not self.is_bidirectional:
            return last_BD
        half = states_BSD.size(-1) // 2
        return torch.cat([last_BD[:, :half], states_BSD[:, 0, half:]], dim=-1)


def mirror_positions(lengths_B: Tensor, length: int) -> Tensor:
    """For every position its mirror image within the sequence; padding stays where it is.

    Args:
        lengths_B: int64, valid positions of each row.
        length: S.

    Returns:
        mirror_BS int64; ``[2, 1, 0, 3]`` for a row of 3 valid positions and S = 4.
    """
    position_1S = torch.arange(length, device=lengths_B.device).unsqueeze(0)
    return torch.where(position_1S < lengths_B.unsqueeze(1), lengths_B.unsqueeze(1) - 1 - position_1S, position_1S)


def _take_positions(inputs_BSD: Tensor, positions_BS: Tensor) -> Tensor:
    """The vectors at the given positions of each row."""
    return inputs_BSD.gather(1, positions_BS.unsqueeze(-1).expand(-1, -1, inputs_BSD.size(-1)))
