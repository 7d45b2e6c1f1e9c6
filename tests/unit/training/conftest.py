from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from tests.reversed_words import write_reversed_words


@pytest.fixture(autouse=True)
def seeded(fresh_seed: int) -> None:
    """What each test here draws follows from its seed."""


def _make_settings(train: dict[str, Any], model: dict[str, Any] | None = None, kind: str = "char", **runtime: Any) -> Settings:
    sections = {
        "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
        "register": {"model_name": "m"},
        "tokenize": {side: {"model": kind, "vocabulary_size": 40} for side in ("source", "target")},
        "model": {"width": 16, "heads": 2, "feedforward_width": 16, "dropout": 0.2} | (model or {}),
        "train": {"max_steps": 8, "warmup_steps": 3, "batch_tokens": 200, "validate_every_steps": 4, "dev_sentences": 5} | train,
        "runtime": {"device": "cpu", "log_every_steps": 3, "progress": "plain"} | runtime,
    }
    return parse_settings(sections, "test")


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., Settings]:
    """Settings of a small training; the arguments take the place of single fields."""
    return _make_settings


@pytest.fixture(scope="session")
def tokenize_words(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Tokenises a small corpus, words to their reverse, by a kind of subword model; once for each kind."""
    made: dict[str, Path] = {}

    def tokenize(kind: str) -> Path:
        if kind not in made:
            paths = Paths(tmp_path_factory.mktemp(kind))
            write_reversed_words(paths)
            run_tokenize(_make_settings({}, kind=kind), paths, NullRecorder())
            made[kind] = paths.tokenized
        return made[kind]

    return tokenize


@pytest.fixture
def new_workspace(tokenize_words: Callable[[str], Path], tmp_path: Path) -> Callable[..., Paths]:
    """Makes workspaces that hold the tokenised corpus and nothing else."""

    def make(name: str, kind: str = "char") -> Paths:
        paths = Paths(tmp_path / name)
        paths.tokenized.parent.mkdir(parents=True)
        paths.tokenized.symlink_to(tokenize_words(kind))
        return paths

    return make
