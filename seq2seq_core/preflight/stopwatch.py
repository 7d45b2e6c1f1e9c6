"""Measures duration and processor time of a block, work on a GPU included."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from seq2seq_core.preflight.probe_result import Timing


class Stopwatch:
    """Measures a ``with`` block.

    Args:
        device: computes; its work is waited for.

    Attributes:
        timing: of the last block.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.timing = Timing(seconds=0.0, cpu_seconds=0.0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The block that is measured."""
        started, cpu = self._now()
        yield
        ended, cpu_ended = self._now()
        self.timing = Timing(seconds=ended - started, cpu_seconds=cpu_ended - cpu)

    def _now(self) -> tuple[float, float]:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.monotonic(), time.process_time()
