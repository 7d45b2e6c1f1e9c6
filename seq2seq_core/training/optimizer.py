"""AdamW (Loshchilov and Hutter 2019) with weight decay on matrices only, and its state as named tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seq2seq_core.config.train import PhaseSettings


def build_optimizer(model: nn.Module, settings: PhaseSettings) -> torch.optim.AdamW:
    """An optimiser of all parameters; biases and norms do not decay.

    Args:
        model: on its device already.
        settings: betas and weight decay; the learning rate is set at each update.
    """
    parameters = list(model.parameters())
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.adam_betas, fused=True)


def optimizer_tensors(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """The optimiser's state, each tensor named after its part and its parameter: ``exp_avg.output.bias``."""
    return {
        f"{part}.{name}": value
        for name, parameter in model.named_parameters()
        for part, value in optimizer.state[parameter].items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Puts back what :func:`optimizer_tensors` gave.

    Args:
        optimizer: fresh, of the same model.
        model: whose parameters it has.
        tensors: the state; empty before the first update.
    """
    parameters = dict(model.named_parameters())
    for key, value in tensors.items():
        part, name = key.split(".", 1)
        parameter = parameters[name]
        optimizer.state[parameter][part] = value.to(parameter.device, copy=True)
