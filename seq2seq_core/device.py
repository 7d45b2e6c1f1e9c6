"""Which device a model runs on."""

from __future__ import annotations

import torch

from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.errors import UserError


def resolve_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is CUDA where there is one, else the CPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UserError: the name is none of these, or this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device: must be auto, cpu, cuda or cuda:N, got {name!r}") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device: {name} is not there; PyTorch sees {torch.cuda.device_count()} CUDA devices (cpu and auto always work)"
        )
    return device


def count_devices(settings: RuntimeSection) -> int:
    """The number of processes that train on this machine, each on its own device.

    Args:
        settings: reads ``devices``, and ``device`` for their kind.

    Raises:
        UserError: there are fewer devices, or ``device`` names one of them while ``devices`` is above 1.
    """
    uses_gpus = settings.device == "cuda" or (settings.device == "auto" and torch.cuda.is_available())
    if settings.devices == "auto":
        return max(1, torch.cuda.device_count()) if uses_gpus else 1
    if settings.devices > 1 and settings.device.startswith("cuda:"):
        raise UserError(
            f"runtime.device: must be 'auto', 'cpu' or 'cuda' with runtime.devices {settings.devices}, got {settings.device!r}"
        )
    if uses_gpus and settings.devices > max(1, torch.cuda.device_count()):
        raise UserError(
            f"runtime.devices: must be 'auto' or at most {torch.cuda.device_count()}, the number of GPUs that PyTorch sees, "
            f"got {settings.devices}"
        )
    return settings.devices
