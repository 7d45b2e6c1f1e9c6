"""What tests of trainings ask of a run: its curves, its outputs, and its end in the middle of an update."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import Interrupted
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.train import run_train
from seq2seq_core.training.hardware.speed import MACHINE_CURVES
from seq2seq_core.training.state.curve_log import read_curves
from seq2seq_core.training.trainer import Trainer


class ListRecorder(NullRecorder):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.points: list[tuple[int | None, dict[str, float]]] = []
        self.files: list[tuple[str, str]] = []
        self.texts: dict[str, str] = {}
        self.tags: dict[str, str] = {}

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.points.append((step, dict(metrics)))

    def log_file(self, path: Path, folder: str = "") -> None:
        self.files.append((path.name, folder))

    def log_text(self, text: str, name: str) -> None:
        self.texts[name] = text

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self.tags |= tags

    def curve(self, metric: str) -> list[tuple[int | None, float]]:
        return [(step, metrics[metric]) for step, metrics in self.points if metric in metrics]

    def steps(self, metric: str) -> list[int | None]:
        return [step for step, _ in self.curve(metric)]


def output_digests(paths: Paths) -> dict[str, str]:
    """Digests of all that the stage ``train`` writes."""
    reports = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (paths.train_report, paths.training_curve)}
    return {"bundle": bundle_digest(paths.bundle)} | reports


def curve_without_speed(paths: Paths) -> list[tuple[int, dict[str, float]]]:
    """The curves of the training state that do not depend on the machine."""
    longest = max(paths.training_state.glob("*/curves.jsonl"), key=lambda path: path.stat().st_size)  # the others are beginnings
    curve = read_curves(longest)
    return [(step, {name: value for name, value in metrics.items() if name not in MACHINE_CURVES}) for step, metrics in curve]


def interrupt_update(monkeypatch: pytest.MonkeyPatch, step: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Sends a signal to this process in the middle of an update."""
    update = Trainer._update

    def update_and_kill(self: Trainer, *arguments: Any) -> None:
        if self.state.step + 1 == step:
            os.kill(os.getpid(), number)
        update(self, *arguments)

    monkeypatch.setattr(Trainer, "_update", update_and_kill)


def train_until(step: int, settings: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch, from_scratch: bool = False) -> None:
    """Trains; SIGTERM ends the training in the middle of an update."""
    with monkeypatch.context() as patched:
        interrupt_update(patched, step)
        with pytest.raises(Interrupted):
            run_train(settings, paths, NullRecorder(), from_scratch=from_scratch)


def check_that_a_finished_training_is_not_repeated(settings: Settings, paths: Paths, patch: pytest.MonkeyPatch) -> None:
    """Trains twice, the second time with a trainer that cannot train; both must leave and record the same."""
    first, second = ListRecorder(), ListRecorder()
    result = run_train(settings, paths, first)
    before = output_digests(paths)
    for path in (paths.bundle, paths.train_report, paths.training_curve):
        path.rename(path.with_name(f"old-{path.name}"))
    patch.delattr(Trainer, "fit")
    assert run_train(settings, paths, second) == result
    assert output_digests(paths) == before
    assert second.points == first.points
