"""``s2s rejected`` and lines that are set aside: rows that break contracts, and lines that cannot be read, with their places."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.config.yaml_text import write_document
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.errors import CorpusError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.rejected import iterate_rejected
from seq2seq_core.stages.validate import run_validate

CLEAN = "source\ttarget\n" + "".join(f"source {name}\ttarget {name}\n" for name in "abcdefghijklmnopqrstuvwxyzäöüßáéíóú")
MALFORMED = b"one cell\n\xff\tlatin\nthree\tcells\there\n"
"""Lines 37 to 39."""
SECTIONS: dict[str, Any] = {name: {} for name in ("validate", "prepare", "tokenize", "model", "train", "evaluate")}
SECTIONS["register"] = {"model_name": "m"}
OWN = [
    {"name": "vowels", "where": "source SIMILAR TO 'source [aeiou]'", "severity": "error", "limit": 0.5},
    {"expectation": "expect_column_values_to_be_unique", "column": "source"},
]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "raw").mkdir()
    shutil.copyfile(Path(__file__).parents[4] / "dvc.yaml", tmp_path / "dvc.yaml")
    (tmp_path / "raw" / "train.tsv").write_bytes(CLEAN.encode() + MALFORMED + b"a last\trow\n\t \n")
    return Paths(tmp_path)


def _settings(paths: Paths, fraction: float = 0.2, **validate: Any) -> Settings:
    corpus = {"path": "raw", "files": {"train": ["train.tsv"]}, "max_malformed_fraction": fraction}
    values = SECTIONS | {"corpus": corpus, "validate": {"empty": {"limit": 0.5}, **validate}}
    paths.params.write_text(write_document(values), encoding="utf-8")
    return load_settings(paths.params)


def _rejected(paths: Paths, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["rejected", *arguments, "--workspace", str(paths.root)])


def test_malformed_lines_are_set_aside_by_every_stage_as_far_as_the_settings_accept(paths: Paths) -> None:
    settings = _settings(paths)
    result = run_validate(settings, paths, NullRecorder())
    assert result.rows == {"train": 37}
    (warning,) = (warning for warning in result.warnings if "set_aside" in warning)
    head, *lines = warning.splitlines()
    assert head == "files, set_aside: files with lines that cannot be read and are set aside: none; got 1 of 1 files"
    places = ["raw/train.tsv:37", "raw/train.tsv:38", "raw/train.tsv:39", "raw/train.tsv"]
    assert [line.split(": ")[0].strip() for line in lines] == places
    assert json.loads(paths.validation_report.read_text(encoding="utf-8"))["splits"]["train"]["set_aside"] == 3
    funnels = run_prepare(settings, paths, NullRecorder()).funnels
    assert (funnels["train"].rows_in, funnels["train"].dropped["min_characters"]) == (37, 1)
    sources = {pair["source"] for split in ("train", "dev", "test") for pair in iterate_pairs(paths.prepared_split(split))}
    assert "a last" in sources
    assert not sources.intersection({"one cell", "three", "\ufffd"})


def test_more_malformed_lines_than_accepted_are_refused_with_the_first_ones(paths: Paths) -> None:
    settings = _settings(paths, fraction=0.05, examples=2)
    with pytest.raises(CorpusError, match=r"^raw/train\.tsv:37: expected 2 columns"):
        run_prepare(settings, paths, NullRecorder())
    rows = list(iterate_rejected(settings, paths))
    assert [(row.contract, row.file, row.line) for row in rows] == [("readable", "raw/train.tsv", line) for line in (37, 38, 39)]
    assert rows[2].reason == "expected 2 columns (source, target), got 3: 'three | cells | here'"


def test_rejected_rows_are_shown_written_and_bounded(paths: Paths) -> None:
    _settings(paths, contracts=OWN)
    shown = _rejected(paths, "--limit", "2")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines() == [
        "files, set_aside",
        "    raw/train.tsv:37: expected 2 columns (source, target), got 1: 'one cell'",
        *shown.stdout.splitlines()[2:3],
        "train, empty",
        "    train.tsv:41: empty source and target",
        "train, vowels",
        "    train.tsv:2: source SIMILAR TO 'source [aeiou]'",
        "    train.tsv:6: source SIMILAR TO 'source [aeiou]'",
    ]
    rows = [json.loads(line) for line in _rejected(paths, "--contract", "vowels", "--limit", "0", "--json").stdout.splitlines()]
    assert [row["line"] for row in rows] == [2, 6, 10, 16, 22]
    assert rows[4]["source"] == "source u"
    table = paths.root / "new" / "rows.csv"
    assert _rejected(paths, "--contract", "empty", "--output", str(table)).exit_code == 0
    with table.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["split"], row["line"], row["source"], row["target"]) == ("train", "41", "", " ")
    for arguments, fault in (
        (("--contract", "emty"), "--contract: must be one that is not off, of readable, set_aside, empty, "),
        (("--contract", "expect_column_values_to_be_unique.source"), "--contract: must not be an expectation"),
        (("--output", "rows.xlsx"), "--output: must end in .csv or .jsonl, without --json; got rows.xlsx"),
    ):
        refused = _rejected(paths, *arguments)
        assert refused.exit_code == 2
        assert fault in refused.stderr


def test_a_missing_turn_would_change_the_next_pair(paths: Paths) -> None:
    (paths.root / "raw" / "turns.jsonl").touch()
    values = {"corpus": {"path": "raw", "files": {"train": ["turns.jsonl"]}, "max_malformed_fraction": 0.1, "conversations": {}}}
    paths.params.write_text(write_document(SECTIONS | values), encoding="utf-8")
    refused = _rejected(paths)
    assert refused.exit_code == 2
    assert "corpus: max_malformed_fraction must be 0 with conversations, which a missing turn changes" in refused.stderr
