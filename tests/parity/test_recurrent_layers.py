from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq_core.modeling.encoders.recurrent_encoder import RecurrentEncoder, mirror_positions
from seq2seq_core.modeling.layers.recurrent_layer import Cell, RecurrentLayer

B, S, D, LAYERS = 4, 6, 8, 2
LENGTHS_B = torch.tensor([3, 6, 1, 5])
TORCH_LAYERS: dict[Cell, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
TORCH_CELLS: dict[Cell, type[nn.RNNCell] | type[nn.GRUCell] | type[nn.LSTMCell]] = {
    "rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell,
}  # fmt: skip


@pytest.mark.parametrize("is_bidirectional", [True, False], ids=["both_directions", "one_direction"])
@pytest.mark.parametrize("cell", get_args(Cell))
@torch.no_grad()
def test_the_encoder_equals_a_packed_stack(cell: Cell, is_bidirectional: bool) -> None:
    encoder = RecurrentEncoder(cell, D, LAYERS, dropout=0.0, is_bidirectional=is_bidirectional)
    width = D // 2 if is_bidirectional else D
    reference = TORCH_LAYERS[cell](D, width, LAYERS, batch_first=True, bidirectional=is_bidirectional)
    for number, layer in enumerate(encoder.layers):
        directions = [(layer.ahead, ""), *([(layer.back, "_reverse")] if is_bidirectional else [])]
        for direction, suffix in directions:
            assert isinstance(direction, RecurrentLayer)
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(reference, f"{kind}_l{number}{suffix}").copy_(getattr(direction.layer, f"{kind}_l0"))
    embedded_BSD = torch.randn(B, S, D)
    padding_mask_BS = torch.arange(S) >= LENGTHS_B.unsqueeze(1)
    memory = encoder(embedded_BSD, padding_mask_BS)
    packed = pack_padded_sequence(embedded_BSD, LENGTHS_B, batch_first=True, enforce_sorted=False)
    outputs, state = reference(packed)
    expected_BSD, _ = pad_packed_sequence(outputs, batch_first=True)
    last = state[0] if cell == "lstm" else state
    assert torch.allclose(memory.values_BSD, expected_BSD, atol=1e-6)
    expected_BD = torch.cat([last[-2], last[-1]], dim=-1) if is_bidirectional else last[-1]
    assert torch.allclose(memory.summary_BD, expected_BD, atol=1e-6)


@torch.no_grad()
def test_residual_layers_add_their_input_from_the_second_on() -> None:
    encoder = RecurrentEncoder("gru", D, LAYERS, dropout=0.0, is_residual=True)
    inputs_BSD, padding_mask_BS = torch.randn(B, S, D), torch.zeros(B, S, dtype=torch.bool)
    mirror_BS = mirror_positions(torch.full((B,), S), S)
    first_BSD = encoder.layers[0](inputs_BSD, mirror_BS)
    expected_BSD = encoder.layers[1](first_BSD, mirror_BS) + first_BSD
    assert torch.allclose(encoder(inputs_BSD, padding_mask_BS).values_BSD, expected_BSD, atol=1e-6)


@pytest.mark.parametrize("cell", get_args(Cell))
@torch.no_grad()
def test_a_layer_equals_its_cell_applied_step_by_step(cell: Cell) -> None:
    layer = RecurrentLayer(cell, D, D)
    reference = TORCH_CELLS[cell](D, D)
    for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(reference, kind).copy_(getattr(layer.layer, f"{kind}_l0"))
    inputs_BTD = torch.randn(B, S, D)
    outputs_BTD, last = layer(inputs_BTD, layer.zero_state(B, inputs_BTD))
    state = layer.zero_state(B, like=inputs_BTD)
    for t in range(S):
        after = reference(inputs_BTD[:, t], state if cell == "lstm" else state[0])
        state = after if isinstance(after, tuple) else (after,)
        assert torch.allclose(outputs_BTD[:, t], state[0], atol=1e-6)
    assert all(torch.allclose(mine, theirs, atol=1e-6) for mine, theirs in zip(last, state, strict=True))


def test_positions_are_mirrored_within_each_length() -> None:
    assert mirror_positions(torch.tensor([3, 1, 4]), 4).tolist() == [[2, 1, 0, 3], [0, 1, 2, 3], [3, 2, 1, 0]]
