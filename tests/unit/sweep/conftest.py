"""A workspace with a small tokenised corpus, and sweeps over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.sweep.drive import SweepRequest
from tests.reversed_words import write_reversed_words

PARAMS: dict[str, Any] = {
    "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
    "register": {"model_name": "m"},
    "tokenize": {"source": {"model": "char"}, "target": {"model": "char"}},
    "model": {"width": 16, "dropout": 0.0},
    "train": {
        "max_steps": 6, "warmup_steps": 2, "batch_tokens": 200, "validate_every_steps": 2, "dev_sentences": 4,
        "learning_rate": 0.003,
    },
    "runtime": {"device": "cpu", "progress": "plain"},
}  # fmt: skip
SWEEP: dict[str, Any] = {
    "name": "toy",
    "trials": 5,
    "random_trials": 2,
    "pruning": {"method": "none"},
    "space": {"train.learning_rate": {"low": 0.001, "high": 0.03, "log": True}, "model.width": {"low": 8, "high": 24, "step": 8}},
}


@pytest.fixture(autouse=True)
def _without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "seq2seq_core.tracking.runs.sweep_tracking.find_spec", lambda name: None
    )  # no MLflow, unless a test wants it


@pytest.fixture(scope="session")
def tokenized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenised corpus: words to their reverse."""
    paths = Paths(tmp_path_factory.mktemp("tokenized"))
    write_reversed_words(paths)
    run_tokenize(parse_settings(PARAMS, "test"), paths, NullRecorder())
    return paths.tokenized


@pytest.fixture
def make_workspace(tmp_path: Path, tokenized: Path) -> Callable[[str], Paths]:
    """Makes workspaces with the corpus and parameters."""

    def make(name: str) -> Paths:
        paths = Paths(tmp_path / name)
        paths.tokenized.parent.mkdir(parents=True)
        paths.tokenized.symlink_to(tokenized)
        (paths.root / "dvc.yaml").write_text("stages: {}\n")
        paths.params.write_text("# the toy\n" + yaml.safe_dump(PARAMS))
        return paths

    return make


@pytest.fixture
def paths(make_workspace: Callable[[str], Paths]) -> Paths:
    return make_workspace("workspace")


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., SweepRequest]:
    """A request for the toy sweep with some fields of its file in place of its own."""

    def make(**fields: Any) -> SweepRequest:
        file = tmp_path / "toy.yaml"
        file.write_text(yaml.safe_dump(SWEEP | fields, sort_keys=False))
        return SweepRequest(file)

    return make
