from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq_core.modeling.recurrent_encoder import BidirectionalLayer, RecurrentEncoder, mirror_positions
from seq2seq_core.modeling.recurrent_layer import Cell, RecurrentLayer

B, S, D, LAYERS = 4, 6, 8, 2
LENGTHS_B = torch.tensor([3, 6, 1, 5])
TORCH_LAYERS: dict[Cell, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@torch.no_grad()
def test_the_encoder_equals_a_packed_bidirectional_stack(cell: Cell) -> None:
    encoder = RecurrentEncoder(cell, D, LAYERS, dropout=0.0)
    reference = TORCH_LAYERS[cell](D, D // 2, LAYERS, batch_first=True, bidirectional=True)
    for number, layer in enumerate(encoder.layers):
        assert isinstance(layer, BidirectionalLayer)
        for direction, suffix in ((layer.ahead, ""), (layer.back, "_reverse")):
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
    assert torch.allclose(memory.summary_BD, torch.cat([last[-2], last[-1]], dim=-1), atol=1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@torch.no_grad()
def test_a_layer_equals_its_cell_applied_step_by_step(cell: Cell) -> None:
    layer = RecurrentLayer(cell, D, D)
    reference = nn.GRUCell(D, D) if cell == "gru" else nn.LSTMCell(D, D)
    for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(reference, kind).copy_(getattr(layer.layer, f"{kind}_l0"))
    inputs_BTD = torch.randn(B, S, D)
    outputs_BTD, last = layer(inputs_BTD, layer.state_from(torch.zeros(B, D)))
    state = layer.zero_state(B, like=inputs_BTD)
    for t in range(S):
        after = reference(inputs_BTD[:, t], state if cell == "lstm" else state[0])
        state = after if isinstance(after, tuple) else (after,)
        assert torch.allclose(outputs_BTD[:, t], state[0], atol=1e-6)
    assert all(torch.allclose(mine, theirs, atol=1e-6) for mine, theirs in zip(last, state, strict=True))


def test_positions_are_mirrored_within_each_length() -> None:
    assert mirror_positions(torch.tensor([3, 1, 4]), 4).tolist() == [[2, 1, 0, 3], [0, 1, 2, 3], [3, 2, 1, 0]]
