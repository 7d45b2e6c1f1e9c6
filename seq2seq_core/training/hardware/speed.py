"""Training speed: tokens per second, and the share of the peak rate of matrix products.

On a CPU the share goes by CPU time, of this process's threads together: what other processes take changes the tokens per second and
not the share. It is the part of the CPU time that the matrix products alone would have needed. On a GPU it goes by the clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch

from seq2seq_core.batching.batch import Batch
from seq2seq_core.training.hardware.flops import ModelFlops
from seq2seq_core.training.hardware.precision import Placement

MACHINE_CURVES = ("tokens_per_second", "share_of_peak")
"""The curves of this module: they depend on the machine and its load, and differ between runs."""
MEASURED_SECONDS = 0.2
MOST_ROWS = 4096


class SpeedMeter:
    """Measures the operations and the time of updates; :meth:`stopped` excludes other work.

    Args:
        flops: operation counts of the model.
        steps_a_batch: cost of a batch, in plain steps of teacher forcing; None: unknown, and no share of the peak is reported.
        placement: device and precision at which the peak is measured, on first use.
        batch_tokens: token budget of the phase; with the model's width it gives the shape of the measured products.
    """

    def __init__(self, flops: ModelFlops, steps_a_batch: float | None, placement: Placement, batch_tokens: int) -> None:
        self.flops: ModelFlops | None = flops if steps_a_batch is not None else None
        self.steps_a_batch, self.placement, self.batch_tokens = steps_a_batch or 0.0, placement, batch_tokens
        self._counts_cpu_time = placement.device.type == "cpu"
        self._tokens, self._operations, self._since, self._cpu_since = 0, 0.0, time.monotonic(), time.process_time()
        self._peak: float | None = None

    def add(self, batches: Sequence[Batch], tokens: int) -> None:
        """Counts an update.

        Args:
            batches: the batches that this rank computed.
            tokens: source and target tokens of the update, padding left out.
        """
        self._tokens += tokens
        if self.flops is None:
            return
        for batch in batches:
            rows, target = batch.target_in_BT.shape
            self._operations += self.steps_a_batch * self.flops.step(rows, batch.source.values.shape[1], target)

    def take(self) -> dict[str, float]:
        """Curves of the updates since the last call, empty if there were none; resets the counts."""
        if not self._tokens:
            return {}
        seconds, cpu_seconds = time.monotonic() - self._since, time.process_time() - self._cpu_since
        speed = {"tokens_per_second": self._tokens / max(seconds, 1e-9)}
        if self.flops is not None:
            spent = max(cpu_seconds if self._counts_cpu_time else seconds, 1e-9)
            speed["share_of_peak"] = self._operations / spent / self._measured_peak(self.flops)
        self._tokens, self._operations, self._since, self._cpu_since = 0, 0.0, time.monotonic(), time.process_time()
        return speed

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Excludes a ``with`` block from the measured time."""
        started, cpu_started = time.monotonic(), time.process_time()
        yield
        self._since += time.monotonic() - started
        self._cpu_since += time.process_time() - cpu_started

    def _measured_peak(self, flops: ModelFlops) -> float:
        """The rate of matrix products, in operations per second (on a CPU of CPU time), measured once."""
        if self._peak is None:
            with self.stopped():
                settings = flops.settings
                kinds = (settings.encoder_architecture, settings.decoder_architecture)
                inner = settings.feedforward_width if "transformer" in kinds else settings.width
                shape = (min(max(self.batch_tokens // 2, 1), MOST_ROWS), settings.width, inner)
                self._peak = measure_matrix_rate(*shape, self.placement)
        return self._peak


@cache
def measure_matrix_rate(rows: int, inner: int, columns: int, placement: Placement) -> float:
    """The best rate of products of (rows, inner) by (inner, columns) matrices, in operations per second, on a CPU of CPU time.

    A process measures a shape once: its later phases and trainings have the same peak.

    Args:
        rows: positions of a batch.
        inner: width of the factors.
        columns: width of the result.
        placement: device and precision.
    """
    kind = placement.product_dtype
    left, right = (torch.full(shape, 0.5, device=placement.device, dtype=kind) for shape in ((rows, inner), (inner, columns)))
    result, best, end = left @ right, 0.0, time.monotonic() + MEASURED_SECONDS
    while best == 0.0 or time.monotonic() < end:
        started, repeats = _now(placement), 4
        for _ in range(repeats):
            torch.mm(left, right, out=result)
        best = max(best, repeats * 2.0 * rows * inner * columns / max(_now(placement) - started, 1e-9))
    return best


def _now(placement: Placement) -> float:
    """The time after the device has finished all queued work; on a CPU that of this process's threads."""
    if placement.device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize(placement.device)
    return time.perf_counter()
