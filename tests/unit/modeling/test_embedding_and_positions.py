from __future__ import annotations

import math

import pytest
import torch

from seq2seq_core.errors import UserError
from seq2seq_core.modeling.layers.embedding import FrameProjection, TokenEmbedding
from seq2seq_core.modeling.layers.positions import LearnedPositions, RotaryPositions, SinusoidalPositions, sinusoidal_positions


def test_embeddings_are_scaled_by_the_root_of_the_width() -> None:
    embedding = TokenEmbedding(10, 16, dropout=0.0)
    ids_BT = torch.tensor([[3, 4], [5, 3]])
    assert torch.equal(embedding(ids_BT), embedding.table.weight[ids_BT] * 4.0)


@torch.no_grad()
def test_fresh_scaled_embeddings_have_variance_one() -> None:
    embedding = TokenEmbedding(2000, 64, dropout=0.0)
    assert float(embedding(torch.arange(2000)).var()) == pytest.approx(1.0, abs=0.03)


def test_dropout_of_embeddings_acts_in_training_only() -> None:
    embedding = TokenEmbedding(10, 1000, dropout=0.5)
    ids_1 = torch.tensor([3])
    assert 0.4 < float((embedding(ids_1) == 0).float().mean()) < 0.6
    assert not (embedding.eval()(ids_1) == 0).any()


def test_frames_are_projected_and_normalised() -> None:
    projection = FrameProjection(5, 8, dropout=0.0)
    embedded_BSD = projection(torch.randn(2, 3, 5) * 100)
    assert embedded_BSD.shape == (2, 3, 8)
    assert torch.allclose(embedded_BSD.mean(dim=-1), torch.zeros(2, 3), atol=1e-5)


def test_sinusoids_follow_the_formula_of_the_paper() -> None:
    width = 6
    positions_TD = sinusoidal_positions(50, width)
    for position in (0, 1, 7, 49):
        for i in range(width // 2):
            angle = position / 10_000 ** (2 * i / width)
            assert float(positions_TD[position, 2 * i]) == pytest.approx(math.sin(angle), abs=1e-5)
            assert float(positions_TD[position, 2 * i + 1]) == pytest.approx(math.cos(angle), abs=1e-5)


def test_an_offset_continues_where_the_earlier_positions_ended() -> None:
    positions = SinusoidalPositions(4)
    inputs_BTD = torch.randn(1, 6, 4)
    whole_BTD = positions(inputs_BTD)
    assert torch.equal(positions(inputs_BTD[:, 4:], offset=4), whole_BTD[:, 4:])


def test_the_table_of_positions_grows_with_longer_sequences() -> None:
    positions = SinusoidalPositions(4)
    zeros_BTD = torch.zeros(1, 700, 4)
    assert torch.equal(positions(zeros_BTD)[0], sinusoidal_positions(700, 4))
    assert "table_TD" not in positions.state_dict()


def test_learned_positions_are_added_and_end_with_a_clear_message() -> None:
    positions = LearnedPositions(4, max_positions=6)
    inputs_BTD = torch.randn(2, 6, 4)
    assert torch.equal(positions(inputs_BTD), inputs_BTD + positions.table.weight)
    assert torch.equal(positions(inputs_BTD[:, :2], offset=4), inputs_BTD[:, :2] + positions.table.weight[4:])
    with pytest.raises(UserError) as caught:
        positions(inputs_BTD, offset=1)
    assert str(caught.value) == (
        "model.max_positions: must be at least the length of every sequence, got 6 for one of 7 "
        "(learned positions end there; sinusoidal, rotary and relative ones do not)"
    )


def test_rotation_turns_each_pair_of_columns_by_the_angle_of_the_paper() -> None:
    width, offset = 6, 3
    inputs_BHTK = torch.randn(1, 1, 5, width)
    rotated_BHTK = RotaryPositions(width)(inputs_BHTK, offset)
    for t in range(5):
        for i in range(width // 2):
            angle = (t + offset) / 10_000 ** (2 * i / width)
            x, y = (float(value) for value in inputs_BHTK[0, 0, t, 2 * i : 2 * i + 2])
            expected = [x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)]
            assert rotated_BHTK[0, 0, t, 2 * i : 2 * i + 2].tolist() == pytest.approx(expected, abs=1e-5)


def test_products_of_rotated_vectors_depend_on_their_distance_alone() -> None:
    rotation = RotaryPositions(8)
    query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)
    products = [float((rotation(query, start + 4) * rotation(key, start)).sum()) for start in (0, 7, 300)]
    assert products == pytest.approx([products[0]] * 3, abs=1e-4)
    assert float((rotation(query, 5) * rotation(key, 0)).sum()) != pytest.approx(products[0], abs=1e-4)


def test_positions_that_a_search_asked_for_first_can_be_trained_with() -> None:
    rotary = RotaryPositions(4)
    with torch.inference_mode():
        rotary(torch.randn(1, 1, 300, 4))
    inputs_BHTK = torch.randn(1, 1, 300, 4, requires_grad=True)
    rotary(inputs_BHTK).sum().backward()
    assert inputs_BHTK.grad is not None
