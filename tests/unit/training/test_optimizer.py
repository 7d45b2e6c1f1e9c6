from __future__ import annotations

import torch
from torch import nn

from seq2seq_core.config.train import TrainSection
from seq2seq_core.training.optimizer import build_optimizer, optimizer_tensors, restore_optimizer


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


def test_a_restored_optimiser_goes_on_bit_for_bit() -> None:
    settings, inputs = TrainSection(weight_decay=0.1), torch.randn(5, 3)
    model = make_model()
    optimizer = build_optimizer(model, settings)
    for _ in range(3):
        update(model, optimizer, inputs)
    twin = make_model()
    twin.load_state_dict(model.state_dict())
    twin_optimizer = build_optimizer(twin, settings)
    restore_optimizer(twin_optimizer, twin, {name: value.clone() for name, value in optimizer_tensors(optimizer, model).items()})
    for _ in range(3):
        update(model, optimizer, inputs)
        update(twin, twin_optimizer, inputs)
    assert all(torch.equal(mine, its) for mine, its in zip(model.parameters(), twin.parameters(), strict=True))


def test_before_the_first_update_there_is_no_state() -> None:
    model = make_model()
    assert optimizer_tensors(build_optimizer(model, TrainSection()), model) == {}
