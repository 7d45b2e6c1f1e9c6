from __future__ import annotations

from typing import get_args

import pytest
import torch

from seq2seq_core.config.model import Architecture, TimeScaling
from seq2seq_core.modeling.encoders.time_reduction import TimeReduction
from seq2seq_core.modeling.encoders.time_scaling import GatedScaling, SinusoidalScaling
from seq2seq_core.modeling.layers.positions import sinusoidal_positions
from tests.unit.modeling.test_seq2seq import LENGTHS, make_model, make_source

B, S, D = 3, 5, 4
PADDING_MASK_BS = torch.arange(S) >= torch.tensor([5, 2, 1]).unsqueeze(1)


@torch.no_grad()
def test_a_reduction_projects_each_two_neighbours_and_fills_up_with_zero() -> None:
    reduction = TimeReduction(D)
    states_BSD = torch.randn(B, S, D)
    reduced_BRD, mask_BR = reduction(states_BSD, PADDING_MASK_BS)
    assert mask_BR.tolist() == [[False, False, False], [False, True, True], [False, True, True]]
    w, bias = reduction.projection.weight, reduction.projection.bias
    pairs = {(0, 0): (0, 1), (0, 1): (2, 3), (0, 2): (4, None), (1, 0): (0, 1), (2, 0): (0, None)}
    for (b, r), (first, second) in pairs.items():
        after_D = torch.zeros(D) if second is None else states_BSD[b, second]
        expected_D = w @ torch.cat([states_BSD[b, first], after_D]) + bias
        assert torch.allclose(reduced_BRD[b, r], expected_D, atol=1e-6)


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize(("reductions", "expected"), [(0, [7, 4, 1]), (1, [4, 2, 1]), (2, [2, 1, 1])])
@torch.no_grad()
def test_each_reduction_halves_every_length_and_rounds_up(architecture: str, reductions: int, expected: list[int]) -> None:
    assert LENGTHS == [7, 4, 1]
    memory = make_model(architecture=architecture, time_reduction=reductions).encode(make_source())
    assert (~memory.padding_mask_BS).sum(dim=1).tolist() == expected
    assert memory.values_BSD.shape[1] == expected[0]
    assert memory.values_BSD.masked_select(memory.padding_mask_BS.unsqueeze(-1)).eq(0.0).all()


@torch.no_grad()
def test_sinusoidal_scaling_multiplies_each_step_by_one_plus_its_sinusoids() -> None:
    values_BSD = torch.randn(B, S, D)
    assert torch.allclose(SinusoidalScaling(D)(values_BSD), values_BSD * (1.0 + sinusoidal_positions(S, D)))


@torch.no_grad()
def test_the_gate_follows_the_written_out_formula_and_starts_at_one() -> None:
    scaling, values_BSD = GatedScaling(D), torch.randn(B, S, D)
    assert torch.allclose(scaling(values_BSD), values_BSD)
    for parameter in scaling.parameters():
        parameter.normal_()
    w, bias, u = scaling.content_projection.weight, scaling.content_projection.bias, scaling.position_projection.weight
    position_D = sinusoidal_positions(S, D)[3]
    expected_D = values_BSD[1, 3] * 2.0 * torch.sigmoid(w @ values_BSD[1, 3] + u @ position_D + bias)
    assert torch.allclose(scaling(values_BSD)[1, 3], expected_D, atol=1e-6)


@pytest.mark.parametrize("scaling", [kind for kind in get_args(TimeScaling) if kind != "none"])
@torch.no_grad()
def test_scaling_tells_equal_steps_apart_and_leaves_padding_zero(scaling: str) -> None:
    model = make_model(architecture="gru", time_scaling=scaling)
    assert model.time_scaling is not None
    for parameter in model.time_scaling.parameters():
        parameter.normal_()
    same_BSD = torch.randn(1, 1, 8).expand(1, 4, 8)
    scaled_BSD = model.time_scaling(same_BSD)
    assert len({tuple(step) for step in scaled_BSD[0].tolist()}) == 4
    memory = model.encode(make_source())
    assert memory.values_BSD.masked_select(memory.padding_mask_BS.unsqueeze(-1)).eq(0.0).all()
