from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch

from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.settings import Settings
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.training.data.inputs import read_references
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.validation import Validator


def test_no_right_hypothesis_of_a_dev_source_is_cut(tmp_path: Path, make_settings: Callable[..., Settings]) -> None:
    settings, paths = make_settings({}), Paths(tmp_path)
    paths.prepared.mkdir(parents=True)
    for split in SPLITS:
        pairs = [{"source": "a", "target": "bc" * 60}, {"source": "a" * 9, "target": "b"}]
        paths.prepared_split(split).write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    run_tokenize(settings, paths, NullRecorder())
    dev, tokenizer = TokenizedDataset.open(paths.tokenized, "dev"), SubwordModel.load(paths.tokenized / "target.model")
    placement = Placement(torch.device("cpu"), is_bfloat16=False)
    validator = Validator(dev, read_references(paths.tokenized, 2), tokenizer, settings.train, placement)
    assert all(validator.options.length_limit(length) > 120 for length in dev.source_lengths.tolist())
