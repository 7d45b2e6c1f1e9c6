from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
import torch

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.model import ModelSection
from seq2seq_core.training.hardware import speed
from seq2seq_core.training.hardware.flops import ModelFlops
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.hardware.speed import SpeedMeter, measure_matrix_rate

CPU = Placement(torch.device("cpu"), is_bfloat16=False)
FLOPS = ModelFlops(ModelSection(width=8), 30)


class Clock:
    """A clock, and the CPU time of this process, which are moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.cpu = 100.0, 7.0
        monkeypatch.setattr("seq2seq_core.training.hardware.speed.time.monotonic", lambda: self.now)
        monkeypatch.setattr("seq2seq_core.training.hardware.speed.time.process_time", lambda: self.cpu)


def make_batch(rows: int, source: int, target: int) -> Batch:
    return cast(
        Batch, SimpleNamespace(source=SimpleNamespace(values=torch.zeros(rows, source)), target_in_BT=torch.zeros(rows, target))
    )


def test_speed_is_counted_over_the_updates_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(speed, "measure_matrix_rate", lambda *shape: 1e6)
    meter = SpeedMeter(FLOPS, 2.0, CPU, batch_tokens=64)
    meter.add([make_batch(3, 5, 4), make_batch(2, 6, 4)], tokens=40)
    with meter.stopped():
        clock.now += 50.0
        clock.cpu += 90.0
    clock.now += 4.0
    clock.cpu += 1.5  # others had the rest of the machine
    operations = 2.0 * (FLOPS.step(3, 5, 4) + FLOPS.step(2, 6, 4))
    assert meter.take() == pytest.approx({"tokens_per_second": 10.0, "share_of_peak": operations / 1.5 / 1e6})
    assert meter.take() == {}
    clock.now += 1.0
    meter.add([make_batch(1, 1, 1)], tokens=5)
    assert meter.take()["tokens_per_second"] == pytest.approx(5.0)


def test_where_operations_are_unknown_no_share_is_told() -> None:
    meter = SpeedMeter(FLOPS, None, CPU, batch_tokens=64)
    meter.add([make_batch(3, 5, 4)], tokens=40)
    assert list(meter.take()) == ["tokens_per_second"]


def test_the_peak_is_measured_once_and_moves_no_random_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "MEASURED_SECONDS", 0.0)
    before = torch.random.get_rng_state()
    assert measure_matrix_rate(64, 8, 16, CPU) == measure_matrix_rate(64, 8, 16, CPU) > 0, "once in a process"
    assert torch.equal(before, torch.random.get_rng_state())
    shapes: list[tuple[int, int, int]] = []

    def measure(rows: int, inner: int, columns: int, placement: Placement) -> float:
        shapes.append((rows, inner, columns))
        return 1e9

    monkeypatch.setattr(speed, "measure_matrix_rate", measure)
    meter = SpeedMeter(ModelFlops(ModelSection(architecture="transformer", width=8, feedforward_width=32), 30), 1.0, CPU, 64)
    for _ in range(2):
        meter.add([make_batch(3, 5, 4)], tokens=40)
        assert meter.take()["share_of_peak"] > 0
    assert shapes == [(32, 8, 32)]
