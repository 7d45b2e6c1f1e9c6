"""A model whose tags have no positions learns from the corpus which ids are tags, and keeps it in its bundle."""

from __future__ import annotations

import json
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import load_bundle, save_bundle
from seq2seq_core.bundle.config_file import CONFIG_FILE
from seq2seq_core.bundle.stored_weights import build_from
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.training.data.inputs import TrainingInputs, read_inputs

MODEL = {"architecture": "transformer", "width": 8, "heads": 2, "feedforward_width": 8}


def tokenized(paths: Paths) -> TrainingInputs:
    settings = parse_settings(
        {
            "corpus": {"path": "x", "files": {"train": ["x.tsv"]}},
            "register": {"model_name": "m"},
            "tokenize": {"source": {"model": "char"}, "target": {"model": "char"}, "source_tags": ["form"]},
        },
        "test",
    )
    paths.prepared.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        rows = [{"source": "ab", "target": "ba", "form": form} for form in ("V;PST", "V;3", "N")]
        paths.prepared_split(split).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    run_tokenize(settings, paths, NullRecorder())
    return read_inputs(paths.tokenized, 2)


def test_the_number_of_tags_is_in_the_bundle_of_such_a_model_alone(tmp_path: Path) -> None:
    inputs = tokenized(Paths(tmp_path))
    models = [ModelSection.model_validate(MODEL | {"tag_positions": has_positions}) for has_positions in (True, False)]
    usual, typed = map(inputs.bundle_config, models)
    assert typed.num_source_tags == 4
    for config, name in ((usual, "usual"), (typed, "typed")):
        save_bundle(tmp_path / name, build_from(config), config, inputs.source_tokenizer, inputs.target_tokenizer, {})
    assert "num_source_tags" not in (tmp_path / "usual" / CONFIG_FILE).read_text(encoding="utf-8")
    found = load_bundle(tmp_path / "typed").only_model.tag_positions
    assert found is not None
    assert found.num_tags == 4
    assert load_bundle(tmp_path / "usual").only_model.tag_positions is None
