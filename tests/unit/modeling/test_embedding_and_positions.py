from __future__ import annotations

import math

import pytest
import torch

from seq2seq_core.modeling.embedding import FrameProjection, TokenEmbedding
from seq2seq_core.modeling.positions import SinusoidalPositions, sinusoidal_positions


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
