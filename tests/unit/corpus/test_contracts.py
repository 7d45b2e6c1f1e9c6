from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from seq2seq_core.config.validate import ValidateSection
from seq2seq_core.corpus.contracts import contracts_of
from seq2seq_core.corpus.formats import Row
from tests.unit.corpus.rows_in_duckdb import find_breaches, pairs

LONG = "abcdefghijklmnopqrstu"


def test_clean_rows_break_nothing(tmp_path: Path) -> None:
    assert find_breaches(tmp_path, {"train": pairs(("Größe", "size"), ("a\tb", "c"), ("日本", "Japan"))}) == {}


@pytest.mark.parametrize(
    ("pair", "contract", "what"),
    [
        (("", " "), "empty", "empty source and target"),
        (("a", "\u3000"), "empty", 'empty target, source "a"'),
        (("", "b"), "empty", 'empty source, target "b"'),
        ((LONG, "y" * 9), "max_characters", f'source of 21 characters: "{LONG}"'),
        (("x" * 9, LONG), "max_characters", f'target of 21 characters: "{LONG}"'),
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


NOISY_PAIRS = (
    (("OK", "OK"), "untranslated", '"OK"'),
    (("a\u200bb", "c"), "invisible_characters", 'U+200B in the source: "a\\u200bb"'),
    (("one", "soft\xadhyphen"), "invisible_characters", 'U+00AD in the target: "soft\\xadhyphen"'),
    (("two", "b \ufeffc"), "invisible_characters", 'U+FEFF in the target: "b \\ufeffc"'),
    (("a\u202eb", "c"), "invisible_characters", 'U+202E in the source: "a\\u202eb"'),
    (("three", "b\u200dc"), "invisible_characters", 'U+200D in the target: "b\\u200dc"'),
    (("he said &quot;no&quot;", "b"), "escaped_text", '"&quot;" in the source: "he said &quot;no&quot;"'),
    (("well @-@ known", "b"), "escaped_text", '"@-@" in the source: "well @-@ known"'),
    (("four", "Haus@@ boot"), "escaped_text", '"s@@ " in the target: "Haus@@ boot"'),
    (("five", "b<br/>c"), "html_tags", '"<br/>" in the target: "b<br/>c"'),
    (("six", '<A HREF="x">b</a>'), "html_tags", '"<A HREF="x">" in the target: "<A HREF="x">b</a>"'),
    (("in 1981", "19 18"), "numbers_differ", '"1981" → "18, 19": "in 1981" → "19 18"'),
    (("2 dogs", "dogs"), "numbers_differ", '"2" → none: "2 dogs" → "dogs"'),
    (("see www.a.org.", "see"), "urls_differ", '"www.a.org" → none'),
)


def test_noise_and_differences_say_where_and_what(tmp_path: Path) -> None:
    found = find_breaches(tmp_path, {"train": pairs(*(pair for pair, *_ in NOISY_PAIRS))}, length_ratio={"limit": 90}, examples=100)
    expected = defaultdict[str, dict[int, str]](dict)
    for place, (_, contract, what) in enumerate(NOISY_PAIRS):
        expected[contract][place] = f"c.tsv:{place + 2}: {what}"
    assert found == expected


CLEAN_PAIRS = (
    ("می\u200cخواهم", "I want"),  # Persian needs the joiner
    ("👩\u200d🔬", "a scientist"),
    ("a < b & c", "d > e"),
    ("a@b.org", "mail to a@b.org"),
    ("1,000.5 in 2010", "2010: 1.000,5"),
    ("1 000", "1,000"),
    ("５ dogs", "5 Hunde"),
    ("see http://a.org/x.", "(http://a.org/x)"),
    ("no no no, that is not what he wants, and that is not what they or we can want", "nein, er will es nicht"),
)


def test_what_is_right_in_some_languages_breaks_nothing(tmp_path: Path) -> None:
    assert find_breaches(tmp_path, {"train": pairs(*CLEAN_PAIRS)}, max_characters={"limit": 100}) == {}


def test_repetition_is_told_of_words_and_of_characters(tmp_path: Path) -> None:
    texts = ["ha " * 15 + "ha", "ha " * 14 + "ha", "哈" * 16, "哈" * 15, "go left and then go right and " * 3 + "stop"]
    found = find_breaches(tmp_path, {"train": pairs(*((f"source of row {number}", text) for number, text in enumerate(texts)))})
    assert sorted(found["repeated_ngrams"]) == [0, 2, 4]
    assert found["repeated_ngrams"][2] == f'c.tsv:4: the target: "{"哈" * 16}"'


def test_sides_in_another_script_than_that_of_train_are_found(tmp_path: Path) -> None:
    train = [(f"the dog number {ord(word)}", f"собака номер {ord(word)}") for word in "abcdefghijklmnopqrstuvwxyz"]
    asked = [("a dog", "собака"), ("собака", "a dog"), ("a cat", "a cat is here"), ("Иван said", "Ivan, сказал")]
    found = find_breaches(tmp_path, {"train": pairs(*train), "dev": pairs(*asked)})
    assert found == {
        "unexpected_script": {
            1: 'c.tsv:3: source in Cyrillic: "собака", target in Latin: "a dog"',
            2: 'c.tsv:4: source in Latin: "a cat", target in Latin: "a cat is here"',
        }
    }
    unknown = {"train": pairs(*(("\U00010900" + chr(0x10900 + digit), "x") for digit in range(9)))}  # Phoenician
    assert "unexpected_script" not in find_breaches(tmp_path, unknown)


def test_dev_rows_that_stand_in_test_are_found(tmp_path: Path) -> None:
    tested, asked = pairs(("two  dogs", "2"), file="t.tsv"), pairs(("two dogs", "x"), ("b", "y"))
    found = find_breaches(tmp_path, {"train": pairs(("one", "1")), "test": tested, "dev": asked})
    assert found == {"dev_test_overlap": {0: 'c.tsv:2: also t.tsv:2: "two dogs"'}}


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
        "quoted_cells", "untranslated", "invisible_characters", "escaped_text", "html_tags", "numbers_differ", "urls_differ",
        "repeated_ngrams", "unexpected_script",
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
        "untranslated": "rows whose target is their source: at most 2 %",
        "invisible_characters": "rows with invisible characters: at most 0.1 %",
        "escaped_text": "rows with escaped or tokenised text, such as &quot; or @@: at most 0.1 %",
        "html_tags": "rows with tags of HTML: at most 0.1 %",
        "numbers_differ": "rows whose sides have different numbers: at most 10 %",
        "urls_differ": "rows whose sides have different web addresses: at most 0.1 %",
        "repeated_ngrams": "rows with a side that repeats most of its bigrams: at most 1 %",
        "unexpected_script": "rows with a side mostly in another script than train's: at most 1 %",
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
