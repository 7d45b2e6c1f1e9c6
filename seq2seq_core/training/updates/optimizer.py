"""AdamW (Loshchilov and Hutter 2019) or Adafactor (Shazeer and Stern 2018), and their state as named tensors.

Weight decay applies to matrices, not to biases and norms.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import assert_never

import torch
from torch import Tensor, nn

from seq2seq_core.config.train import PhaseSettings


def build_optimizer(model: nn.Module, settings: PhaseSettings) -> torch.optim.Optimizer:
    """An optimiser of all trained parameters; without weight decay for biases and norms.

    Args:
        model: already on its device; parameters without ``requires_grad`` are left out.
        settings: the kind, betas and weight decay; the learning rate is set at each update.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    match settings.optimizer:
        case "adamw":
            kind = _without_compiler(torch.optim.AdamW)
            return kind(groups, lr=settings.learning_rate, betas=settings.adam_betas, fused=True)
        case "adafactor":
            return _without_compiler(torch.optim.Adafactor)(groups, lr=settings.learning_rate)
        case unknown:
            assert_never(unknown)


@cache
def _without_compiler(kind: type[torch.optim.Optimizer]) -> Callable[..., torch.optim.Optimizer]:
    """The same optimiser, never compiled: PyTorch's own load its compiler first, a quarter of the start of training.

    Args:
        kind: the class.
    """
    methods = {
        "add_param_group": inspect.unwrap(kind.add_param_group),
        "step": torch.no_grad()(inspect.unwrap(kind.step)),
    }
    return type(kind.__name__, (kind,), methods)


def optimizer_tensors(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """The optimiser's state, each tensor named after its part and its parameter: ``exp_avg.output.bias``."""
    return {
        f"{part}.{name}": value
        for name, parameter in model.named_parameters()
        for part, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Replaces the optimiser's state by the tensors that :func:`optimizer_tensors` gave.

    Args:
        optimizer: an optimiser of the same model; changed in place.
        model: gives the parameters by name.
        tensors: the state; empty before the first update.
    """
    parameters = dict(model.named_parameters())
    # Fused kernels need the step count on the parameter's device, Adafactor's loop needs it on the CPU.
    step_is_on_cpu = isinstance(optimizer, torch.optim.Adafactor)
    optimizer.state.clear()
    for key, value in tensors.items():
        part, name = key.split(".", 1)
        parameter = parameters[name]
        device = torch.device("cpu") if part == "step" and step_is_on_cpu else parameter.device
        optimizer.state[parameter][part] = value.to(device, copy=True)
