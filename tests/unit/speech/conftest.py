"""A corpus of tones, and a small model of speech that is trained on it once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.stages.validate import run_validate
from tests.spoken_tones import RATE, write_tones

ROOT = Path(__file__).resolve().parents[3]
VALUES: dict[str, dict[str, Any]] = {
    "corpus": {
        "path": "raw",
        "target_kind": "audio",
        "sample_rate": RATE,
        "files": {split: [f"{split}.tsv"] for split in ("train", "dev", "test")},
    },
    "validate": {"min_rows": {"limit": 10}},
    "tokenize": {
        "source": {"model": "symbols", "vocabulary_size": 30},
        "source_tags": ["speaker"],
        "speech": {"num_mels": 20, "window_ms": 32.0, "hop_ms": 12.5},
    },
    "model": {
        "architecture": "gru",
        "attention": "location",
        "width": 32,
        "dropout": 0.0,
        "frames": {"frames_per_step": 3, "pre_net_width": 16, "pre_net_dropout": 0.2, "post_net_layers": 2, "post_net_width": 16},
    },
    "train": {
        "phases": [{"objective": "frames", "frames": {"guided_attention_weight": 3.0}}],
        "max_steps": 8,
        "batch_tokens": 1500,
        "learning_rate": 0.005,
        "warmup_steps": 5,
        "validate_every_steps": 4,
        "patience": 0,
    },
    "evaluate": {"beam_size": 1, "metrics": ["mel_distortion"], "slice_columns": ["speaker"]},
    "register": {"model_name": "tones", "metric": "mel_distortion"},
    "runtime": {"device": "cpu", "progress": "plain"},
}

MakeSettings = Callable[..., Settings]


def make_settings(**sections: dict[str, Any]) -> Settings:
    """The settings of the tones, with some values changed."""
    return parse_settings({name: own | sections.get(name, {}) for name, own in VALUES.items()}, "test")


def make_recogniser(raw: Path, root: Path, audio: dict[str, Any], updates: int = 2) -> Path:
    """The bundle of a small recogniser of recordings, after some updates.

    Args:
        raw: the corpus of tones.
        root: of its workspace.
        audio: its front end.
        updates: of its training.
    """
    root.mkdir(exist_ok=True)
    shutil.copyfile(ROOT / "dvc.yaml", root / "dvc.yaml")
    shutil.copytree(raw, root / "raw")
    corpus = {name: value for name, value in VALUES["corpus"].items() if name not in ("target_kind", "sample_rate")}
    quiet = {"dev_sentences": 0, "batch_tokens": 500}
    values = {
        "corpus": corpus | {"source_kind": "audio", "sample_rate": RATE, "source_column": "target", "target_column": "source"},
        "tokenize": {"audio": audio, "target": {"model": "symbols", "vocabulary_size": 30}},
        "model": {"architecture": "gru", "width": 8},
        "train": {"max_steps": updates, "warmup_steps": 1, "validate_every_steps": updates, **quiet},
        "evaluate": {"beam_size": 1, "confidence_event": "none"},
        "register": {"model_name": "hearing"},
        "runtime": VALUES["runtime"],
    }
    settings, paths = parse_settings(values, "test"), Paths(root)
    for run in (run_prepare, run_tokenize, run_train, run_export):
        run(settings, paths, NullRecorder())
    return paths.served


@pytest.fixture(scope="session")
def tokenized_tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace up to ``tokenize``; to be copied."""
    root = tmp_path_factory.mktemp("tones")
    shutil.copyfile(ROOT / "dvc.yaml", root / "dvc.yaml")
    write_tones(root / "raw", train=72, dev=8, test=8)
    paths, settings = Paths(root), make_settings()
    run_validate(settings, paths, NullRecorder())
    run_prepare(settings, paths, NullRecorder())
    run_tokenize(settings, paths, NullRecorder())
    return root


@pytest.fixture
def tones(tokenized_tones: Path, tmp_path: Path) -> Paths:
    """A workspace of its own, up to ``tokenize``."""
    shutil.copytree(tokenized_tones, tmp_path / "tones")
    return Paths(tmp_path / "tones")


@pytest.fixture(scope="session")
def speaking(tokenized_tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A workspace whose model has learned the tones, exported."""
    root = tmp_path_factory.mktemp("speaking") / "tones"
    shutil.copytree(tokenized_tones, root)
    frames = {"frames_per_step": 3, "pre_net_width": 16, "pre_net_dropout": 0.2, "post_net_layers": 0}
    model = {"attention": "additive", "width": 48, "frames": frames}  # without places attended to before, all steps are one call
    rates = {"max_steps": 400, "validate_every_steps": 400, "schedule": "cosine", "learning_rate": 0.01, "batch_tokens": 600}
    paths, settings = Paths(root), make_settings(model=model, train=rates)
    run_train(settings, paths, NullRecorder())
    run_export(settings, paths, NullRecorder())
    return paths
