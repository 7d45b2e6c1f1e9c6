"""Sampling by temperature from the prepared corpus to the weights."""

from __future__ import annotations

import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import ConfigError, CorpusError, Interrupted
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.tokenization.manifest import Manifest
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.training.updates.updater import Updater

ROWS = [{"source": letter * 2, "target": letter, "from": "es" if letter < "g" else "ru", "to": "en"} for letter in "abcdefgh"]


def make_settings(temperature: float, **tokenize: object) -> Settings:
    sections = {
        "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
        "register": {"model_name": "m"},
        "tokenize": {side: {"model": "char"} for side in ("source", "target")} | {"group_columns": ["from", "to"]} | tokenize,
        "model": {"width": 8},
        "train": {"max_steps": 8, "batch_tokens": 16, "validate_every_steps": 4, "dev_sentences": 2, "warmup_steps": 2}
        | {"sampling_temperature": temperature},
        "runtime": {"device": "cpu", "progress": "plain"},
    }
    return parse_settings(sections, "test")


def make_workspace(root: Path) -> Paths:
    paths = Paths(root)
    paths.prepared.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        paths.prepared_split(split).write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    run_tokenize(make_settings(1.0), paths, NullRecorder())
    return paths


def test_tokenize_writes_the_group_of_each_train_pair_that_is_kept(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    assert np.load(paths.tokenized / "train.groups.npy").tolist() == [0] * 6 + [1] * 2
    assert Manifest.load(paths.tokenized).groups == {"es en": 6, "ru en": 2}
    assert not (paths.tokenized / "dev.groups.npy").exists()
    run_tokenize(make_settings(1.0, group_columns=[]), paths, NullRecorder())
    assert not (paths.tokenized / "train.groups.npy").exists()
    assert TokenizedDataset.open(paths.tokenized, "train").groups is None


def test_dev_takes_a_pair_of_each_group_in_turn(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    targets = [json.loads(line)["target"] for line in (paths.tokenized / "dev.jsonl").read_text().splitlines()]
    assert targets == ["a", "g", "b", "h", "c", "d", "e", "f"]
    tokenizer, dev = SubwordModel.load(paths.tokenized / "target.model"), TokenizedDataset.open(paths.tokenized, "dev")
    assert tokenizer.decode([dev.target(row).tolist() for row in range(8)]) == targets
    assert len(TokenizedDataset.open(paths.tokenized, "test")) == 8


def test_a_pair_without_the_column_is_named(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    with pytest.raises(CorpusError) as caught:
        run_tokenize(make_settings(1.0, group_columns=["to", "region"]), paths, NullRecorder())
    expected = "expected a column 'region' (tokenize.group_columns), got source, target, from, to"
    assert str(caught.value) == f"{paths.prepared_split('train')}:1: {expected}"


def test_a_stopped_run_by_temperature_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole, stopped, plain = (make_workspace(tmp_path / name) for name in ("whole", "stopped", "plain"))
    with caplog.at_level(logging.INFO):
        run_train(make_settings(1e6), whole, NullRecorder())
    told = [record.getMessage() for record in caplog.records if "sampling" in record.getMessage()]
    assert told == [f"train.sampling_temperature: 4 pairs of {name} in each epoch" for name in ("es en", "ru en")]
    run_train(make_settings(1.0), plain, NullRecorder())
    apply = Updater.apply

    def apply_and_stop(self: Updater, batches: Any, step: int, *rest: Any) -> Any:
        if step == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return apply(self, batches, step, *rest)

    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        patched.setattr(Updater, "apply", apply_and_stop)
        run_train(make_settings(1e6), stopped, NullRecorder())
    run_train(make_settings(1e6), stopped, NullRecorder())
    weights = [(paths.bundle / "model.safetensors").read_bytes() for paths in (whole, stopped, plain)]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_a_temperature_without_groups_is_a_fault_of_the_settings() -> None:
    with pytest.raises(ConfigError) as caught:
        make_settings(5.0, group_columns=[])
    assert caught.value.faults == ["train.sampling_temperature: must be 1 unless tokenize.group_columns names a column, got 5"]
