from __future__ import annotations

import sys
from typing import get_args

import pytest
import torch
from torch import nn

from seq2seq_core.config.train import Optimizer, TrainSection
from seq2seq_core.training.updates.optimizer import build_optimizer, optimizer_tensors, restore_optimizer


def make_model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))


def update(model: nn.Module, optimizer: torch.optim.Optimizer, inputs: torch.Tensor) -> None:
    optimizer.zero_grad()
    model(inputs).pow(3).sum().backward()
    optimizer.step()


def test_weights_decay_but_biases_and_norms_do_not() -> None:
    model = make_model()
    optimizer = build_optimizer(model, TrainSection(weight_decay=0.5, learning_rate=0.1))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    after = dict(model.named_parameters())
    assert torch.allclose(after["0.weight"], before["0.weight"] * 0.95)
    assert all(torch.equal(after[name], before[name]) for name in ("0.bias", "1.weight", "1.bias"))


@pytest.mark.parametrize("kind", get_args(Optimizer))
def test_an_update_equals_pytorchs_own_and_loads_no_compiler(kind: Optimizer, monkeypatch: pytest.MonkeyPatch) -> None:
    twins = [nn.Linear(3, 2), nn.Linear(3, 2)]
    twins[1].load_state_dict(twins[0].state_dict())
    settings = TrainSection(optimizer=kind, learning_rate=0.1, weight_decay=0.2)
    plain = {"adamw": torch.optim.AdamW, "adafactor": torch.optim.Adafactor}[kind]
    groups = [{"params": [twins[1].weight], "weight_decay": 0.2}, {"params": [twins[1].bias], "weight_decay": 0.0}]
    options = {"betas": settings.adam_betas, "fused": True} if kind == "adamw" else {}
    other = plain(groups, lr=0.1, **options)
    inputs = torch.randn(4, 3)
    for _ in range(3):
        update(twins[1], other, inputs)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch._dynamo", None)  # an import fails
        own = build_optimizer(twins[0], settings)
        for _ in range(3):
            twins[0].zero_grad()
            twins[0](inputs).pow(3).sum().backward()
            own.step()
    assert all(torch.equal(one, two) for one, two in zip(twins[0].parameters(), twins[1].parameters(), strict=True))


def test_an_update_equals_the_formula_of_adamw() -> None:
    model = nn.Linear(1, 1, bias=False)
    optimizer = build_optimizer(model, TrainSection(learning_rate=0.1, adam_betas=(0.5, 0.8), weight_decay=0.2))
    weight = float(model.weight.detach())
    first, second = 0.0, 0.0
    for step, gradient in enumerate((0.3, -0.7), start=1):
        model.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
        first, second = 0.5 * first + 0.5 * gradient, 0.8 * second + 0.2 * gradient**2
        weight -= 0.1 * 0.2 * weight
        weight -= 0.1 * (first / (1 - 0.5**step)) / ((second / (1 - 0.8**step)) ** 0.5 + 1e-8)
    assert abs(float(model.weight.detach()) - weight) < 1e-5


def test_an_update_equals_the_formula_of_adafactor() -> None:
    model = nn.Linear(3, 2, bias=False)
    optimizer = build_optimizer(model, TrainSection(optimizer="adafactor", learning_rate=0.01, weight_decay=0.2))
    weight = model.weight.detach().double().clone()
    row, column = torch.zeros(2, 1, dtype=torch.double), torch.zeros(1, 3, dtype=torch.double)
    for step in (1, 2, 3):  # Shazeer and Stern 2018, algorithms 4 and 5, with 0.01 as the largest step and decoupled decay
        gradient = torch.randn(2, 3)
        model.weight.grad = gradient.clone()
        optimizer.step()
        decay, square = 1 - step**-0.8, gradient.double() ** 2
        row = decay * row + (1 - decay) * square.mean(dim=1, keepdim=True)
        column = decay * column + (1 - decay) * square.mean(dim=0, keepdim=True)
        change = gradient.double() / (row * column / row.mean()).sqrt()
        change /= max(1.0, float(change.square().mean().sqrt()))
        size = max(1e-3, float(weight.square().mean().sqrt()))
        weight = weight * (1 - 0.01 * 0.2) - size * min(0.01, step**-0.5) * change
    torch.testing.assert_close(model.weight.detach().double(), weight, rtol=1e-5, atol=1e-7)


def test_adafactor_keeps_a_row_and_a_column_of_a_matrix() -> None:
    model = make_model()
    optimizer = build_optimizer(model, TrainSection(optimizer="adafactor"))
    update(model, optimizer, torch.randn(5, 3))
    shapes = {name: tuple(value.shape) for name, value in optimizer_tensors(optimizer, model).items() if "step" not in name}
    assert shapes == {
        "row_var.0.weight": (4, 1), "col_var.0.weight": (1, 3),
        "variance.0.bias": (4,), "variance.1.weight": (4,), "variance.1.bias": (4,),
    }  # fmt: skip


@pytest.mark.parametrize("kind", get_args(Optimizer))
def test_a_restored_optimiser_goes_on_bit_for_bit(kind: Optimizer) -> None:
    settings, inputs = TrainSection(optimizer=kind, weight_decay=0.1), torch.randn(5, 3)
    model = make_model()
    optimizer = build_optimizer(model, settings)
    for _ in range(3):
        update(model, optimizer, inputs)
    twin = make_model()
    twin.load_state_dict(model.state_dict())
    twin_optimizer = build_optimizer(twin, settings)
    if kind == "adafactor":  # what it had before goes
        twin_optimizer.state[twin[0].bias]["variance"] = torch.ones(4)  # type: ignore[index]
    restore_optimizer(twin_optimizer, twin, {name: value.clone() for name, value in optimizer_tensors(optimizer, model).items()})
    for _ in range(3):
        update(model, optimizer, inputs)
        update(twin, twin_optimizer, inputs)
    assert all(torch.equal(mine, its) for mine, its in zip(model.parameters(), twin.parameters(), strict=True))


def test_before_the_first_update_there_is_no_state() -> None:
    model = make_model()
    assert optimizer_tensors(build_optimizer(model, TrainSection()), model) == {}
