"""``s2s check-settings`` on contracts that users write."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from seq2seq_core.cli.main import app
from seq2seq_core.config.yaml_text import write_document
from seq2seq_core.corpus_survey import contract_check

LENGTHS = {"expectation": "expect_column_value_lengths_to_be_between", "column": "source", "min_value": 1, "max_value": 90}
RIGHT: list[dict[str, Any]] = [
    {"name": "late_kind", "where": "kind = 'rare'", "splits": ["train"]},
    {"name": "swapped", "where": "source IN (SELECT target FROM train)", "splits": ["dev"]},
    LENGTHS,
]
WRONG: dict[str, dict[str, Any]] = {
    "x: the condition is no valid SQL on the rows of train: Parser Error": {"name": "x", "where": "source = "},
    'y: the condition is no valid SQL on the rows of dev: Binder Error: Referenced column': {"name": "y", "where": "kind = 'x'"},
    "expect_column_values_to_be_uniqe.source: Great Expectations has no expectation": {
        "expectation": "expect_column_values_to_be_uniqe", "column": "source",
    },
    "expect_column_value_lengths_to_be_between.source: min_value must be at most max_value, got 9 > 2": {
        **LENGTHS, "min_value": 9, "max_value": 2,
    },
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copyfile(Path(__file__).parents[3] / "dvc.yaml", tmp_path / "dvc.yaml")
    folder = tmp_path / "raw"
    folder.mkdir()
    rows = [{"source": f"s{number}", "target": "t"} | ({"kind": "rare"} if number > 900 else {}) for number in range(1000)]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "dev.tsv").write_text("source\ttarget\na\tb\n", encoding="utf-8")
    return tmp_path


def _check(root: Path, contracts: list[dict[str, Any]], limit: float = 0.0) -> Result:
    values: dict[str, Any] = {name: {} for name in ("prepare", "tokenize", "model", "train", "evaluate")}
    values["corpus"] = {"path": "raw", "files": {"train": ["train.jsonl"], "dev": ["dev.tsv"]}}
    values["validate"] = {"contracts": [{**contract, "limit": limit} for contract in contracts]}
    values["register"] = {"model_name": "m"}
    (root / "params.yaml").write_text(write_document(values), encoding="utf-8")
    return CliRunner().invoke(app, ["check-settings", "--workspace", str(root)])


def test_contracts_that_fit_the_rows_are_right(root: Path) -> None:
    result = _check(root, RIGHT)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "contracts of your own: 3, which fit the columns and first rows"
    assert {path.name for path in root.iterdir()} == {"dvc.yaml", "params.yaml", "raw"}


@pytest.mark.parametrize("has_corpus", [True, False])
def test_each_wrong_contract_is_named(root: Path, has_corpus: bool) -> None:
    if not has_corpus:
        shutil.rmtree(root / "raw")
    result = _check(root, [*WRONG.values(), *RIGHT[:2]])
    assert result.exit_code == 2
    # Without rows, only their columns and the splits are unknown.
    faults = [fault.replace(" on the rows of train", "" if not has_corpus else " on the rows of train") for fault in WRONG]
    found = [fault for fault in faults if has_corpus or not fault.startswith("y")]
    head, *told = [line for line in result.stderr.splitlines() if not line.startswith("warning")]
    assert head == f"error: {len(found)} of 6 contracts of your own are wrong:"
    assert [line for line, fault in zip(told, found, strict=True) if not line.startswith(f"  validate.contracts: {fault}")] == []


def test_what_the_database_cannot_run_and_a_bound_above_one_are_found(root: Path) -> None:
    unrunnable = _check(root, [{"expectation": "expect_column_values_to_match_regex", "column": "source", "regex": "a"}])
    assert unrunnable.exit_code == 2
    assert "Regex is not supported for dialect duckdb; write it as where, with regexp_matches" in unrunnable.stderr
    unbounded = _check(root, RIGHT[:1], limit=2.0)
    assert unbounded.exit_code == 2
    assert "validate.contracts.0.limit: must be at most 1" in unbounded.stderr.replace("less than or equal to", "at most")


def test_conditions_are_tried_on_the_first_rows_for_a_while(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_check, "MOST_SECONDS", 0.5)
    slow = "(SELECT count(*) FROM range(1000000000000) numbers(number) WHERE number % 7 = line) > 3"
    result = _check(root, [{"name": "slow", "where": slow}, {"name": "pattern", "where": "regexp_matches(target, '(')"}])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-2:] == [
        "  validate.contracts: slow: the condition takes more than 0.5 s on the first rows of train; expected one that is quick",
        "  validate.contracts: pattern: it cannot be checked on the rows of train: Invalid Input Error: missing ): (",
    ]
