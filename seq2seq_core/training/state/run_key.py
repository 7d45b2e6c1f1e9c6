"""The name of a training state: a digest of all that the resulting weights depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch

from seq2seq_core.code_digests.features import training_features
from seq2seq_core.code_digests.reach import digest_reached_code
from seq2seq_core.code_digests.settings_values import settings_modules, values_in_use
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.train import Phase, TrainSection
from seq2seq_core.reproducibility import digest

ROOT = "seq2seq_core.training.run"
"""The module from which all code that shapes the weights is reached."""


@dataclass(frozen=True)
class RunKey:
    """Identifies a training; the device, the precision and the number of threads are no part of it.

    Attributes:
        task: digest of settings and data.
        code: digest of the code and of PyTorch's version: a state that other code made is never resumed.
    """

    task: str
    code: str

    @property
    def folder_name(self) -> str:
        """Name of the state's folder."""
        return f"{self.task}-{self.code}"

    def is_same_task(self, folder_name: str) -> bool:
        """Whether a state's folder has the same settings and data; the code may differ."""
        return folder_name.startswith(f"{self.task}-")


def make_run_key(model: ModelSection, train: TrainSection, data_digests: Mapping[str, str]) -> RunKey:
    """The key of a training.

    Args:
        model: the architecture.
        train: phases, seed and initial weights.
        data_digests: SHA-256 of the files that shape the weights, by name.
    """
    phases = [_values_of_phase(phase) for phase in train.all_phases()]
    fitting: dict[str, object] = {"seed": train.seed, "dev_sentences": train.dev_sentences, "phases": phases}
    if train.initial_digest:  # not its location: the same bundle may be anywhere
        fitting["initial_digest"] = train.initial_digest
    if train.ensemble.num_snapshots:
        fitting["snapshots"] = train.ensemble.num_snapshots
    task = {"model": values_in_use(model), "train": fitting, "data": dict(data_digests)}
    return RunKey(digest(task)[:16], make_code_key(model, train))


def _values_of_phase(phase: Phase) -> dict[str, object]:
    """Of a judge not its place: the same bundle may be anywhere; where none is asked, none counts."""
    values = values_in_use(phase)
    judge = values.pop("judge", {})
    return values | ({"judge": {**judge, "reader": ""}} if phase.asks_judge else {})


def make_code_key(model: ModelSection, train: TrainSection) -> str:
    """The code part of a key: a digest of the code that shapes the weights with these settings, and of PyTorch's version.

    Args:
        model: the architecture.
        train: phases, seed and initial weights.
    """
    return _code_key(tuple(settings_modules(model, train)), frozenset(training_features(model, train)))


@cache
def _code_key(settings: tuple[str, ...], features: frozenset[str]) -> str:
    return digest([digest_reached_code([ROOT, *settings], features), torch.__version__])[:8]
