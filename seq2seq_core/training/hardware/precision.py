"""Device and mixed precision of a training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from seq2seq_core.allocation import keep_freed_memory
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.device import resolve_device
from seq2seq_core.errors import UserError
from seq2seq_core.training.hardware.acceleration import set_arithmetic


@dataclass(frozen=True)
class Placement:
    """A device and a precision.

    Attributes:
        device: of model and batches.
        is_bfloat16: whether matrices are multiplied in bfloat16 (autocast; weights stay float32).
        is_float16: whether they are multiplied in float16, which needs a scaled loss.
    """

    device: torch.device
    is_bfloat16: bool
    is_float16: bool = False

    @property
    def product_dtype(self) -> torch.dtype:
        """The type in which matrices are multiplied."""
        if self.is_float16:
            return torch.float16
        return torch.bfloat16 if self.is_bfloat16 else torch.float32

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which the model is called."""
        if self.product_dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.product_dtype)


def choose_placement(settings: RuntimeSection) -> Placement:
    """The device and precision that the settings ask for, given this machine.

    On a CPU the process keeps freed memory from here on (:func:`~seq2seq_core.allocation.keep_freed_memory`).

    Args:
        settings: ``device`` and ``precision``; ``num_threads``, ``tf32`` and ``deterministic`` are applied to PyTorch at once.

    Raises:
        UserError: the device does not exist, or does not support the precision.
    """
    if settings.num_threads:
        torch.set_num_threads(settings.num_threads)
    set_arithmetic(settings)
    device = resolve_device(settings.device)
    if device.type == "cpu":
        keep_freed_memory()
    has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    known = {"auto", "float32"} | ({"float16"} if device.type == "cuda" else set()) | ({"bfloat16"} if has_bfloat16 else set())
    if settings.precision not in known:
        expected = " or ".join(repr(name) for name in sorted(known))
        raise UserError(f"runtime.precision: must be {expected} on the device {device}, got {settings.precision!r}")
    chosen = settings.precision
    if chosen == "auto":
        chosen = "float32" if device.type == "cpu" else "bfloat16" if has_bfloat16 else "float16"
    return Placement(device, chosen == "bfloat16", chosen == "float16")
