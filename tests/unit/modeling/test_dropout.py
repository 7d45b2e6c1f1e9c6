from __future__ import annotations

import math

import pytest
import torch

from seq2seq_core.modeling.layers.dropout import LEVELS, Dropout, draw_mask


@pytest.mark.parametrize("probability", [0.001, 0.1, 0.3, 0.5, 0.999])
@pytest.mark.parametrize("shape", [(3, 7, 11), (1,), (400, 250)])
def test_elements_are_dropped_at_the_stated_rate_and_the_rest_scaled_so_that_the_mean_stays(
    probability: float, shape: tuple[int, ...]
) -> None:
    kept = max(1, round((1 - probability) * LEVELS)) / LEVELS
    dropped = Dropout(probability)(torch.ones(shape))
    is_kept = dropped != 0
    assert dropped.shape == shape
    torch.testing.assert_close(dropped[is_kept], torch.full_like(dropped[is_kept], 1 / kept))
    standard_error = math.sqrt(is_kept.numel() * kept * (1 - kept))
    deviations = (float(is_kept.sum()) - kept * is_kept.numel()) / max(standard_error, 1e-9)  # 0 where nothing is dropped
    assert abs(deviations) < 5


def test_every_element_of_a_random_word_is_dropped_as_often() -> None:
    is_kept = Dropout(0.5)(torch.ones(40_000, 8)) != 0
    assert (is_kept.float().mean(dim=0) - 0.5).abs().max() < 5 * 0.5 / math.sqrt(40_000)
    correlation = torch.corrcoef(is_kept.float().T) - torch.eye(8)
    assert correlation.abs().max() < 5 / math.sqrt(40_000)


def test_the_gradient_passes_where_the_value_did() -> None:
    values = torch.randn(5, 9, requires_grad=True)
    dropped = Dropout(0.4)(values)
    (gradient,) = torch.autograd.grad(dropped.sum(), values)
    torch.testing.assert_close(gradient * values, dropped)


def test_nothing_is_dropped_in_evaluation_or_with_probability_zero() -> None:
    values = torch.randn(4, 4)
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values


def test_the_seed_decides_and_the_layout_in_memory_does_not() -> None:
    values, layer = torch.randn(6, 10), Dropout(0.5)
    outputs = []
    for layout in (values, values.T.contiguous().T):
        torch.manual_seed(3)
        outputs.append(layer(layout))
    assert torch.equal(*outputs)


def test_added_to_a_residual_it_is_the_same_as_dropout_and_a_sum() -> None:
    residual, values, layer = torch.randn(6, 10, requires_grad=True), torch.randn(6, 10, requires_grad=True), Dropout(0.5)
    results = []
    for add in (layer.add_to, lambda residual, values: residual + layer(values)):
        torch.manual_seed(3)
        total = add(residual, values)
        results.append([total, *torch.autograd.grad((total * total).sum(), [residual, values])])
    for mine, expected in zip(*results, strict=True):
        torch.testing.assert_close(mine, expected)


def test_in_evaluation_a_residual_is_just_added_to() -> None:
    residual, values = torch.randn(2, 3, 4)
    assert torch.equal(Dropout(0.5).eval().add_to(residual, values), residual + values)


def test_masks_are_the_same_in_any_precision() -> None:
    masks = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(5)
        masks.append(draw_mask(torch.empty(9, 7, dtype=dtype), 0.3))
    torch.testing.assert_close(masks[0].double(), masks[1])
