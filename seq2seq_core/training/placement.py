"""Where and in what precision the model is trained."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from seq2seq_core.allocation import keep_freed_memory
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.device import resolve_device
from seq2seq_core.errors import UserError


@dataclass(frozen=True)
class Placement:
    """A device and a precision.

    Attributes:
        device: of model and batches.
        is_bfloat16: whether matrices are multiplied in bfloat16 (autocast; weights stay float32).
    """

    device: torch.device
    is_bfloat16: bool

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which the model is called."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16) if self.is_bfloat16 else nullcontext()


def choose_placement(settings: RuntimeSection) -> Placement:
    """The device and precision that the settings ask for, given this machine.

    On a CPU the process keeps freed memory from here on (:func:`~seq2seq_core.allocation.keep_freed_memory`).

    Args:
        settings: ``device``, ``precision`` and ``num_threads``; the latter is applied to PyTorch at once.

    Raises:
        UserError: there is no such device, or bfloat16 is asked for where there is none.
    """
    if settings.num_threads:
        torch.set_num_threads(settings.num_threads)
    device = resolve_device(settings.device)
    if device.type == "cpu":
        keep_freed_memory()
    has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if settings.precision == "bfloat16" and not has_bfloat16:
        raise UserError(f"runtime.precision: must be 'auto' or 'float32' on the device {device}, got 'bfloat16'")
    return Placement(device, has_bfloat16 and settings.precision != "float32")
