"""Contracts that users write in params.yaml, from the settings to Data Docs and the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.errors import ContractViolation, UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.validate import ValidationResult, run_validate

CLEAN = "source\ttarget\tkind\n" + "".join(f"source {i}\ttarget {i}\tplain\n" for i in range(20))
ZERO_WIDTH = {"name": "zero_width", "where": "regexp_matches(target, '[\u200b-\u200f\ufeff]') -- marks"}
OFF = {"limit": 1.0, "severity": "off"}
UNIQUE = {"expectation": "expect_column_values_to_be_unique", "column": "source", "severity": "error"}


def _validate(root: Path, contracts: list[dict[str, Any]], data: str = CLEAN, dev: str = "", **validate: Any) -> ValidationResult:
    folder = root / "data" / "raw" / "c"
    folder.mkdir(parents=True, exist_ok=True)
    files = {"train": ["train.tsv"]} | ({"dev": ["dev.tsv"]} if dev else {})
    for split, text in (("train", data), ("dev", dev)):
        (folder / f"{split}.tsv").write_text(text, encoding="utf-8")
    corpus = {"path": "data/raw/c", "files": files}
    section = {"contracts": contracts, **validate}
    values = {"corpus": corpus, "validate": section, "register": {"model_name": "m"}}
    return run_validate(parse_settings(values, "test"), Paths(root), NullRecorder())


def test_offenders_of_own_sql_stand_in_messages_report_and_data_docs(tmp_path: Path) -> None:
    odd = "a\tb\u200bc\tplain\n" + "d\te\ufeff\tplain\n"
    result = _validate(
        tmp_path, [ZERO_WIDTH, {"name": "odd_kind", "where": "kind <> 'plain'"}], CLEAN + odd, examples=1, invisible_characters=OFF
    )
    message = 'train.tsv:22: "a" → "b\\u200bc"'
    assert result.warnings == (
        f"train, zero_width: rows where {ZERO_WIDTH['where']}: none; got 2 of 22 rows (9.09 %)\n"
        f"    {message}\n    … and 1 more",
    )  # fmt: skip
    report = json.loads(Paths(tmp_path).validation_report.read_text(encoding="utf-8"))
    own = {one["expectation"]: one for one in report["results"] if one["expectation"] in ("zero_width", "odd_kind")}
    assert (own["zero_width"]["unexpected"], own["zero_width"]["examples"]) == (2, [message])
    assert own["odd_kind"]["success"]
    page = (Paths(tmp_path).data_docs / "index.html").read_text(encoding="utf-8")
    assert "<td>rows where regexp_matches" in page
    assert "<pre>train.tsv:22: &quot;a&quot; → &quot;b\\u200bc&quot;\n… and 1 more</pre>" in page


def test_expectations_by_name_stop_the_run_with_file_and_line(tmp_path: Path) -> None:
    contracts: list[dict[str, Any]] = [
        UNIQUE,
        {"expectation": "expect_column_value_lengths_to_be_between", "column": "target", "max_value": 8, "limit": 0.6},
        {"expectation": "expect_column_mean_to_be_between", "column": "line", "max_value": 3, "name": "short", "severity": "error"},
    ]
    with pytest.raises(ContractViolation) as caught:
        _validate(tmp_path, contracts, CLEAN + "source 3\tother\tplain\n")
    lines = str(caught.value).splitlines()
    assert lines[1:5] == [
        "  train, expect_column_values_to_be_unique.source: expect_column_values_to_be_unique(column='source'); "
        "got 2 of 21 rows (9.52 %)",
        '    train.tsv:5: "source 3"',
        '    train.tsv:22: "source 3"',
        "  train, short: expect_column_mean_to_be_between(column='line', max_value=3); got 12.0",
    ]
    report = json.loads((tmp_path / ".s2s" / "validation.json").read_text(encoding="utf-8"))
    own = {one["expectation"]: one for one in report["results"]}
    lengths = own["expect_column_value_lengths_to_be_between.target"]
    assert (lengths["success"], lengths["unexpected"]) == (True, 10)
    assert own["short"]["observed"] == "12.0"


def test_a_contract_applies_to_its_splits_and_may_look_at_others(tmp_path: Path) -> None:
    contracts: list[dict[str, Any]] = [
        {"name": "swapped", "where": "source IN (SELECT target FROM train)", "splits": ["dev"]},
        {"name": "often", "where": "count(*) OVER (PARTITION BY lower(target)) > 1", "limit": 0.5},
    ]
    result = _validate(tmp_path, contracts, dev="source\ttarget\ntarget 3\tx\ny\tX\n")
    own = {(one.contract.split, one.contract.name): one for one in result.checks if one.contract.is_own}
    assert set(own) == {("dev", "swapped"), ("train", "often"), ("dev", "often")}
    assert own["dev", "swapped"].examples == ('dev.tsv:2: "target 3" → "x"',)
    assert (own["dev", "often"].unexpected, own["dev", "often"].success) == (2, False)


@pytest.mark.parametrize(
    ("contract", "fault"),
    [
        ({"name": "x", "where": "sauce = ''"}, 'Referenced column "sauce" not found'),
        ({"name": "x", "where": "source = "}, "Parser Error: syntax error"),
        ({"name": "x", "where": "source"}, "the condition must be true or false, got VARCHAR on the rows of train"),
        ({"name": "KIND", "where": "true"}, "the rows of train have a column of this name; expected another name"),
        ({"name": "x", "where": "true) OR (true"}, 'syntax error at or near ")"'),
        ({"name": "x", "where": "true; DROP TABLE verdicts"}, "more than one statement"),
        ({"name": "x", "where": "source IN (SELECT content FROM read_text('/etc/hostname'))"}, "disabled by configuration"),
        ({"expectation": "expect_column_values_to_be_uniqe", "column": "source"}, "expect_column_values_to_be_unique"),
        ({**UNIQUE, "column": "sauce"}, "there is no column 'sauce'"),
        ({**UNIQUE, "colunm": "source"}, "wrong arguments of expect_column_values_to_be_unique: "),
        ({"expectation": "expect_column_values_to_be_unique"}, "wrong arguments of expect_column_values_to_be_unique: "),
        ({"expectation": "expect_column_values_to_match_regex", "column": "source", "regex": "a"}, "regexp_matches"),
    ],
)
def test_a_wrong_contract_is_a_fault_that_names_the_columns(tmp_path: Path, contract: dict[str, Any], fault: str) -> None:
    with pytest.raises(UserError) as caught:
        _validate(tmp_path, [contract])
    message = str(caught.value)
    assert message.startswith(f"validate.contracts: {contract.get('name') or contract['expectation']}")
    assert fault in message
    assert message.endswith("the columns are file, line, source, target, kind")
    assert "\n" not in message
    assert not Paths(tmp_path).validation_report.exists()
    assert [path.name for path in (tmp_path / ".s2s" / "rows").iterdir()] == ["lock"]


def test_sql_that_fails_on_a_row_is_a_users_fault(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^validate\.contracts: number: it cannot be checked on the rows of train: .*source 0"):
        _validate(tmp_path, [{"name": "number", "where": "source::INTEGER > 3"}])


@pytest.mark.parametrize(
    ("contract", "fault"),
    [
        ({"name": "x"}, "must have either where or expectation, got neither"),
        ({"name": "x", "where": "a", "expectation": "b"}, "must have either where or expectation, got both"),
        ({"where": "true"}, "name must be given with where, got nothing"),
        ({"name": "x", "where": "true", "limt": 1}, "must have no arguments with where, got limt"),
        (
            {"name": "x", "where": "true", "splits": ["tain"]},
            "splits must be of train, dev, test and monolingual.LANGUAGE",
        ),
        (
            {"name": "Readable", "where": "true"},
            "must have names of their own, which no column or built-in contract has, got 'Readable'",
        ),
        ({"name": "Empty", "where": "true"}, "must have names of their own, which no column or built-in contract has, got 'Empty'"),
    ],
)
def test_a_contract_without_sense_is_a_fault_of_the_settings(tmp_path: Path, contract: dict[str, Any], fault: str) -> None:
    with pytest.raises(UserError) as caught:
        _validate(tmp_path, [contract])
    assert f"validate.contracts{'' if 'must have names' in fault else '.0'}: {fault}" in str(caught.value)


def test_columns_without_a_name_and_with_names_of_our_own_are_columns(tmp_path: Path) -> None:
    data = "\t#\tsource\t##\ttarget\tunnamed\n0\t7\ta b\tx\tc\tz\n1\t8\td\ty\te\tz\n"
    contracts = [{"name": "numbered", "where": "unnamed = '1' AND \"#_2\" = '8' AND \"##_2\" = 'y' AND unnamed_2 = 'z'"}]
    result = _validate(tmp_path, contracts, data, escaped_text=OFF)
    (own,) = (one for one in result.checks if one.contract.is_own)
    assert (own.unexpected, own.examples) == (1, ('train.tsv:3: "d" → "e"',))
