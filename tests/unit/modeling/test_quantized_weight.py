from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from seq2seq_core.modeling.layers import quantized_weight
from seq2seq_core.modeling.layers.packed_weights import linear, pack

WIDTH, ROWS = 256, 320


def make_layer() -> nn.Linear:
    """A layer whose weights, like trained ones, have rows of several sizes, and one row of zeros."""
    layer = nn.Linear(WIDTH, 512).eval()
    with torch.no_grad():
        layer.weight.mul_(torch.logspace(-2, 1, 512).unsqueeze(1))
        layer.weight[7] = 0.0
    return layer


def quantize(layer: nn.Linear) -> None:
    pack(layer.weight, is_quantized=True)
    assert hasattr(layer.weight, "packed")


@pytest.fixture(params=["the CPU's instructions", "floats"])
def layer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> nn.Linear:
    if request.param == "floats":
        monkeypatch.setattr(quantized_weight, "has_fast_products", lambda: False)
    elif not quantized_weight.has_fast_products():
        pytest.skip("this CPU has no instructions for 8 bits")
    made = make_layer()
    quantize(made)
    return made


@torch.no_grad()
def test_a_product_is_off_by_no_more_than_the_rounding_of_8_bits(layer: nn.Linear) -> None:
    inputs = torch.randn(ROWS, WIDTH) * torch.logspace(-3, 3, ROWS).unsqueeze(1)
    exact, found = layer(inputs), linear(inputs, layer.weight, layer.bias)
    steps_N1, steps_V = (rows.abs().amax(dim=1, keepdim=True) / 127 for rows in (inputs, layer.weight))
    # Half a step of either, times the other.
    bound = 0.5 * (steps_N1 * layer.weight.abs().sum(dim=1) + inputs.abs().sum(dim=1, keepdim=True) * steps_V.T)
    bound += 0.25 * WIDTH * steps_N1 * steps_V.T
    assert bool(((found - exact).abs() <= bound + 1e-5 * exact.abs() + 1e-6).all())
    assert not torch.equal(found, exact)
    assert torch.equal(found[:, 7], layer.bias[7].expand(ROWS))


@pytest.mark.parametrize("number", [1, 5, 64])
@torch.no_grad()
def test_a_row_has_the_same_product_in_any_company(layer: nn.Linear, number: int) -> None:
    inputs = torch.randn(ROWS, WIDTH)
    inputs[-1] *= 1000.0  # a scale of the whole batch would leave nothing of the other rows
    together = linear(inputs, layer.weight, layer.bias)
    assert torch.equal(linear(inputs[:number], layer.weight, layer.bias), together[:number])
    shaped = linear(inputs.view(4, -1, WIDTH), layer.weight, layer.bias)
    assert torch.equal(shaped.flatten(0, 1), together)


@torch.no_grad()
def test_a_cpu_without_the_instructions_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, slow = make_layer(), nn.Linear(WIDTH, 512)
    slow.load_state_dict(fast.state_dict())
    quantize(fast)
    monkeypatch.setattr(quantized_weight, "has_fast_products", lambda: False)
    quantize(slow)
    inputs = torch.randn(ROWS, WIDTH)
    products = [linear(inputs, one.weight, None) for one in (fast, slow)]
    torch.testing.assert_close(*products, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_what_is_not_finite_stays_so(layer: nn.Linear) -> None:
    inputs = torch.randn(3, WIDTH)
    inputs[0, 5], inputs[1, 9] = torch.nan, torch.inf
    found = linear(inputs, layer.weight, layer.bias)
    assert found.isfinite().all(dim=1).tolist() == [False, False, True]
    zeros = torch.zeros(2, WIDTH)
    assert torch.equal(linear(zeros, layer.weight, layer.bias), layer.bias.expand(2, -1))


@torch.no_grad()
def test_a_weight_that_changed_is_not_used_at_8_bits(layer: nn.Linear) -> None:
    layer.weight.mul_(2.0)
    inputs = torch.randn(5, WIDTH)
    assert torch.equal(linear(inputs, layer.weight, layer.bias), functional.linear(inputs, layer.weight, layer.bias))
