"""The name of a training state: a digest of all that the resulting weights depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

import seq2seq_core
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.train import TrainSection
from seq2seq_core.reproducibility import code_digest, digest

_CODE = (
    "batching",
    "decoding",
    "evaluation/edit_distance.py",
    "evaluation/error_rate.py",
    "evaluation/metric.py",
    "evaluation/metrics",
    "evaluation/rouge.py",
    "evaluation/sacrebleu_metric.py",
    "evaluation/scores.py",
    "modeling",
    "reproducibility.py",
    "tokenization/languages.py",
    "tokenization/subword.py",
    "tokenization/tags.py",
    "training",
)
"""What of the package shapes the weights."""


@dataclass(frozen=True)
class RunKey:
    """Identifies a training; the device, the precision and the number of threads are no part of it.

    Attributes:
        task: digest of settings and data.
        code: digest of the code and of PyTorch's version: a state that other code made is never continued.
    """

    task: str
    code: str

    @property
    def folder_name(self) -> str:
        """Name of the state's folder."""
        return f"{self.task}-{self.code}"

    def is_same_task(self, folder_name: str) -> bool:
        """Whether a state's folder is of the same settings and data, by whatever code."""
        return folder_name.startswith(f"{self.task}-")


def make_run_key(model: ModelSection, train: TrainSection, data_digests: Mapping[str, str]) -> RunKey:
    """The key of a training.

    Args:
        model: the architecture.
        train: how it is fitted.
        data_digests: SHA-256 of the files that shape the weights, by name.
    """
    phases = [phase.model_dump(mode="json") for phase in train.all_phases()]
    fitting: dict[str, object] = {"seed": train.seed, "dev_sentences": train.dev_sentences, "phases": phases}
    if train.initial_digest:  # not where the bundle is: the same one may lie anywhere
        fitting["initial_digest"] = train.initial_digest
    task = {"model": model.model_dump(mode="json"), "train": fitting, "data": dict(data_digests)}
    return RunKey(digest(task)[:16], make_code_key())


def make_code_key() -> str:
    """The part of every key that stands for the code: a digest of what shapes the weights, and of PyTorch's version."""
    return digest([_own_code_digest(_CODE), torch.__version__])[:8]


@cache
def _own_code_digest(parts: tuple[str, ...]) -> str:
    """Digest of these parts of the package."""
    root = Path(seq2seq_core.__file__).parent
    return code_digest(root / part for part in parts)
