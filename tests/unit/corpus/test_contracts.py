from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.config.validate import ValidateSection
from seq2seq_core.corpus.contracts import contracts_of
from seq2seq_core.corpus.formats import Row
from tests.unit.corpus.rows_in_duckdb import find_breaches, pairs


def test_clean_rows_break_nothing(tmp_path: Path) -> None:
    assert find_breaches(tmp_path, {"train": pairs(("Größe", "size"), ("a\tb", "c"), ("日本", "Japan"))}) == {}


@pytest.mark.parametrize(
    ("pair", "contract", "what"),
    [
        (("", " "), "empty", "empty source and target"),
        (("a", "\u3000"), "empty", 'empty target, source "a"'),
        (("", "b"), "empty", 'empty source, target "b"'),
        (("x" * 21, "y" * 9), "max_characters", f'source of 21 characters: "{"x" * 21}"'),
        (("x" * 9, "y" * 21), "max_characters", f'target of 21 characters: "{"y" * 21}"'),
        (("x", "y" * 10), "length_ratio", 'ratio 10.0 (1 : 10 characters): "x" → "yyyyyyyyyy"'),
        (("a\x9d", "b"), "control_characters", 'U+009D in the source: "a\\x9d"'),
        (("a", "b\r"), "control_characters", 'U+000D in the target: "b\\r"'),
        (("DÃ©by", "Deby"), "mojibake", 'in the source: "DÃ©by"'),
        (("he said no", '"he said ""no"""'), "quoted_cells", 'the target: ""he said ""no""""'),
    ],
)
def test_a_broken_contract_says_where_and_what(tmp_path: Path, pair: tuple[str, str], contract: str, what: str) -> None:
    found = find_breaches(tmp_path, {"train": pairs(("fine", "gut"), pair)}, max_characters={"limit": 20})
    assert found == {contract: {1: f"c.tsv:3: {what}"}}


def test_a_ratio_at_its_limit_and_an_empty_side_keep_the_ratio_contract(tmp_path: Path) -> None:
    assert find_breaches(tmp_path, {"train": pairs(("x", "y" * 9))}) == {}
    assert set(find_breaches(tmp_path, {"train": pairs(("x", ""))})) == {"empty"}


def test_repeated_pairs_name_the_first_one(tmp_path: Path) -> None:
    found = find_breaches(tmp_path, {"train": pairs(("a", "x"), ("b", "x"), ("a", "x"), ("a", "x"))})
    assert found == {"duplicate_pairs": {2: 'c.tsv:4: repeats c.tsv:2: "a" → "x"', 3: 'c.tsv:5: repeats c.tsv:2: "a" → "x"'}}


def test_conflicting_targets_name_the_first_one(tmp_path: Path) -> None:
    found = find_breaches(tmp_path, {"train": pairs(("a", "x"), ("a", "y"), ("a ", "z"))})
    assert found == {
        "conflicting_targets": {
            1: 'c.tsv:3: another target at c.tsv:2: "a" → "y"',
            2: 'c.tsv:4: another target at c.tsv:2: "a " → "z"',
        }
    }


def test_only_the_first_offenders_are_described(tmp_path: Path) -> None:
    found = find_breaches(tmp_path, {"train": pairs(*[("", "b")] * 4)}, examples=2, duplicate_pairs={"limit": 0, "severity": "off"})
    assert found == {
        "empty": {0: 'c.tsv:2: empty source, target "b"', 1: 'c.tsv:3: empty source, target "b"', 2: "c.tsv:4", 3: "c.tsv:5"}
    }


@pytest.mark.parametrize("split", ["dev", "test"])
def test_sources_that_stand_in_train_are_leaks(tmp_path: Path, split: str) -> None:
    train = pairs(("one", "1"), file="a.tsv") + pairs(("two  dogs", "2"), ("cafe\u0301", "3"), file="b.tsv")
    asked = pairs(("one", "x"), ("two dogs", "x"), ("café", "x"), ("Two dogs", "x"))
    assert find_breaches(tmp_path, {"train": train, split: asked}) == {
        f"{split}_leakage": {
            0: 'c.tsv:2: also a.tsv:2: "one"',
            1: 'c.tsv:3: also b.tsv:2: "two dogs"',
            2: 'c.tsv:4: also b.tsv:3: "café"',
        }
    }


def test_contracts_that_are_off_are_not_checked(tmp_path: Path) -> None:
    off = {"limit": 0, "severity": "off"}
    section = ValidateSection.model_validate({"empty": off, "test_leakage": off, "min_evaluation_rows": off})
    names = [contract.name for contract in contracts_of(section, "test")]
    assert names == [
        "max_characters", "length_ratio", "duplicate_pairs", "conflicting_targets", "control_characters", "mojibake",
        "quoted_cells",
    ]  # fmt: skip
    assert find_breaches(tmp_path, {"train": [], "test": pairs(("", ""))}, empty=off) == {}


def test_statements_say_what_is_accepted() -> None:
    statements = {contract.name: contract.statement for contract in contracts_of(ValidateSection(), "test")}
    assert statements == {
        "min_evaluation_rows": "rows: at least 1",
        "empty": "rows with an empty source or target: none",
        "max_characters": "rows with more than 5000 characters on a side: none",
        "length_ratio": "rows with one side more than 9 times as long as the other: at most 1 %",
        "duplicate_pairs": "rows that repeat an earlier pair: at most 5 %",
        "conflicting_targets": "rows whose source has another target earlier: at most 5 %",
        "control_characters": "rows with control characters or U+FFFD: none",
        "mojibake": "rows with mojibake (UTF-8 read as Latin-1 or cp1252): at most 0.1 %",
        "quoted_cells": "rows with a side in quotation marks, as Excel or CSV writes a cell: none",
        "test_leakage": "rows whose source also stands in train: none",
    }


def test_pairs_that_differ_in_what_the_model_is_asked_repeat_nothing(tmp_path: Path) -> None:
    rows = [
        Row("walk", "walked", {"features": features}, "c.tsv", line)
        for line, features in enumerate(["V;PST", "V.PTCP;PST", "V;PST"], start=2)
    ]
    rows.append(Row("walk", "walks", {"features": "V;PRS"}, "c.tsv", 5))
    assert find_breaches(tmp_path, {"train": rows}, ["features"]) == {
        "duplicate_pairs": {2: 'c.tsv:4: repeats c.tsv:2: "walk" → "walked"'}
    }
    asked = [Row("walk", "x", {"features": features}, "t.tsv", 2) for features in ("V;PRS", "V;FUT")]
    found = find_breaches(tmp_path, {"train": rows, "test": asked}, ["features"])
    assert list(found["test_leakage"]) == [0]
