"""Convolutions and grid positions before the encoder, against written-out formulas, and alone against in a batch.

Shapes: B batch, S frames, F values of a frame, H height, W width, R steps, D width of the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.config.model import ConvFrontEnd, ModelSection
from seq2seq_core.modeling.front_ends.conv_stack import ConvStack, as_picture, conv_multiply_adds
from seq2seq_core.modeling.front_ends.frame_layout import FrameLayout
from seq2seq_core.modeling.front_ends.grid_positions import GridSinusoids, LearnedGrid
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq

LINE, GRID = FrameLayout(height=9, columns=3), FrameLayout(height=4, columns=4, channels=3, grid=(3, 2))


def make_model(layout: FrameLayout, **settings: Any) -> Seq2Seq:
    section = ModelSection.model_validate({"width": 16, "heads": 2, "feedforward_width": 16} | settings)
    return build_model(section, 0, 11, False, layout.frame_width, frame_layout=layout).eval()


def draw(*shape: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def reference_block(block: Any, picture_BCHW: Tensor) -> Tensor:
    """The block of the documentation, written with PyTorch's functions."""

    def convolve(layer: Any, norm: Any, values_BCHW: Tensor, stride: Any) -> Tensor:
        values_BCHW = functional.conv2d(values_BCHW, layer.weight, layer.bias, stride, 1)
        mean, variance = values_BCHW.mean(dim=1, keepdim=True), values_BCHW.var(dim=1, keepdim=True, unbiased=False)
        normal = (values_BCHW - mean) / torch.sqrt(variance + 1e-5) * norm.weight[:, None, None] + norm.bias[:, None, None]
        return torch.relu(normal)

    first = convolve(block.convolution, block.norm, picture_BCHW, block.stride)
    return first if block.second is None else first + convolve(block.second, block.second_norm, first, 1)


@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize("layout", [LINE, GRID], ids=["line", "grid"])
def test_the_stack_is_the_written_out_one(layout: FrameLayout, refine: bool, fresh_seed: int) -> None:
    torch.manual_seed(fresh_seed)
    stack = ConvStack(ConvFrontEnd(channels=[4, 5, 6], halvings=2, refine=refine), layout, width=8, dropout=0.0).eval()
    frames_BSF = torch.rand(1, 6, layout.frame_width)
    picture_BCHW = as_picture(frames_BSF, layout)
    for block in stack.blocks:
        picture_BCHW = reference_block(block, picture_BCHW)
    flat = picture_BCHW.flatten(2).transpose(1, 2) if layout.grid else picture_BCHW.permute(0, 3, 1, 2).flatten(2)
    expected_BRD = functional.layer_norm(functional.linear(flat, stack.projection.weight, stack.projection.bias), (8,))
    found_BRD, mask_BR = stack(frames_BSF, torch.zeros(1, 6, dtype=torch.bool))
    torch.testing.assert_close(found_BRD, expected_BRD, atol=1e-5, rtol=1e-4)
    assert found_BRD.size(1) == mask_BR.size(1) == layout.steps(6, 2)
    assert not mask_BR.any()


def test_frames_form_the_picture_that_they_were_cut_from() -> None:
    picture_HW = torch.arange(9 * 6, dtype=torch.float32).view(9, 6)
    frames_BSF = picture_HW.T.reshape(1, 2, 27)
    assert as_picture(frames_BSF, LINE)[0, 0].equal(picture_HW)
    picture_CHW = torch.arange(3 * 12 * 8, dtype=torch.float32).view(3, 12, 8)
    patches = picture_CHW.view(3, 3, 4, 2, 4).permute(1, 3, 2, 4, 0).reshape(1, 6, 48)
    assert as_picture(patches, GRID)[0].equal(picture_CHW)


@pytest.mark.parametrize("encoder", ["lstm", "transformer"])
@pytest.mark.parametrize("front_end", [{"channels": [4, 5], "halvings": 1, "refine": True}, {"channels": [4, 5], "halvings": 2}])
def test_a_line_is_encoded_alone_as_in_a_batch(encoder: str, front_end: dict[str, Any], fresh_seed: int) -> None:
    torch.manual_seed(fresh_seed)
    model = make_model(LINE, architecture="gru", encoder=encoder, front_end=front_end, time_reduction=1)
    rows = [draw(length, 27, seed=length) for length in (5, 12, 1, 8)]
    with torch.no_grad():
        together = model.encode(collate_sources(rows))
        for place, row in enumerate(rows):
            alone = model.encode(collate_sources([row]))
            steps = alone.values_BSD.size(1)
            assert int((~together.padding_mask_BS[place]).sum()) == steps
            torch.testing.assert_close(together.values_BSD[place, :steps], alone.values_BSD[0], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(together.summary_BD[place], alone.summary_BD[0], atol=1e-5, rtol=1e-4)


def test_frames_of_8_bits_are_read_as_shares_of_255() -> None:
    source = collate_sources([draw(3, 27), draw(2, 27)])
    assert source.values.dtype == torch.float32
    assert source.values[0].equal(torch.from_numpy(draw(3, 27).astype(np.float32) / np.float32(255.0)))
    assert not source.values[1, 2].any()


def test_sinusoids_of_a_grid_are_those_of_row_and_column() -> None:
    table_RD = GridSinusoids(3, 2, 8)(torch.zeros(1, 6, 8))[0]
    for place in range(6):
        for half, position in enumerate((place // 2, place % 2)):
            for pair in range(2):
                angle = position / 10_000 ** (2 * pair / 4)
                assert table_RD[place, 4 * half + 2 * pair].item() == pytest.approx(np.sin(angle), abs=1e-6)
                assert table_RD[place, 4 * half + 2 * pair + 1].item() == pytest.approx(np.cos(angle), abs=1e-6)


@pytest.mark.parametrize("front_end", [None, {"channels": [4, 5], "halvings": 1}])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_positions_of_a_grid_are_added_before_the_encoder(positions: str, front_end: dict[str, Any] | None) -> None:
    plain, placed = (
        make_model(GRID, architecture="gru", encoder="transformer", positions="rotary", front_end=front_end, grid_positions=kind)
        for kind in ("none", positions)
    )
    placed.load_state_dict(plain.state_dict(), strict=False)
    source = collate_sources([draw(6, 48)])
    steps = plain.encode(source).values_BSD.size(1)
    assert steps == (6 if front_end is None else 24)
    embedding: Any = placed.source_embedding
    assert isinstance(embedding.positions, LearnedGrid if positions == "learned" else GridSinusoids)
    embedded_BRD, mask_BR = embedding(source.values, source.padding_mask_BS)
    if front_end is None:
        placed_BRD = embedding.frames(source.values)
    else:
        placed_BRD = embedding.convolutions(source.values, source.padding_mask_BS)[0]
    added: Any = embedding.positions
    table = added.table.weight if positions == "learned" else added.table_RD
    torch.testing.assert_close(embedded_BRD, placed_BRD + table)
    assert mask_BR.shape == (1, steps)


def test_the_cost_of_the_stack_counts_each_product() -> None:
    settings = ConvFrontEnd(channels=[4, 5], halvings=1, refine=True)
    # Blocks give 5 × 9 and 3 × 9 places; 3 × 3 products each.
    blocks = 5 * 9 * 9 * 4 * (1 + 4) + 3 * 9 * 9 * 5 * (4 + 5)
    assert conv_multiply_adds(settings, LINE, 8, 6) == blocks + 9 * 3 * 5 * 8
