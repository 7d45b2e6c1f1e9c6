"""A value of params.yaml is the same to the settings and to DVC, which decides by it whether a stage is up to date."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import parse_yaml as parse_yaml_as_dvc

from seq2seq_core.config.yaml_text import parse_yaml

ROOT = Path(__file__).resolve().parents[2]
SPELLINGS: dict[str, Any] = {
    "yes": "yes",
    "No": "No",
    "on": "on",
    "off": "off",
    "y": "y",
    "true": True,
    "False": False,
    "TRUE": True,
    "~": None,
    "null": None,
    "NULL": None,
    "": None,
    "010": 10,
    "0o10": 8,
    "0b11": 3,
    "0x1F": 31,
    "+12": 12,
    "-7": -7,
    "1_000": 1000,
    "1:00": "1:00",
    "12:30:45": "12:30:45",
    "1e3": 1000.0,
    "1e-4": 0.0001,
    "1.5E+3": 1500.0,
    ".5": 0.5,
    "5.": 5.0,
    "1_000.5": 1000.5,
    ".inf": math.inf,
    "-.Inf": -math.inf,
    "nan": "nan",
    "1.2.3": "1.2.3",
    "'1'": "1",
    '"\\u00e9\\n"': "é\n",
    "a b": "a b",
    "a#b": "a#b",
    "a #b": "a",
    "!!str 1": "1",
    "!!float 1": 1.0,
    "[1, 'x', no]": [1, "x", "no"],
    "{a: 1e3}": {"a": 1000.0},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_means_to_the_settings_what_it_means_to_dvc(spelling: str) -> None:
    text = f"value: {spelling}\n"
    ours, theirs = parse_yaml(text)["value"], parse_yaml_as_dvc(text, "params.yaml")["value"]
    assert (type(ours), ours) == (type(theirs), theirs)
    assert (type(ours), ours) == (type(SPELLINGS[spelling]), SPELLINGS[spelling])


@pytest.mark.parametrize(
    "spelling", ["2026-01-01", "2026-01-01T10:20:30Z", "2026-01-01 10:20:30.5 +02:00", ".nan", "|\n  a\n  b\n", ">-\n  a\n  b\n"]
)
def test_dates_and_blocks_are_those_of_dvc(spelling: str) -> None:
    text = f"value: {spelling}\n"
    ours, theirs = parse_yaml(text)["value"], parse_yaml_as_dvc(text, "params.yaml")["value"]
    assert (type(ours), repr(ours)) == (type(theirs), repr(theirs))


@pytest.mark.parametrize("path", [ROOT / "params.yaml", ROOT / "dvc.yaml", *sorted((ROOT / "configs").rglob("*.yaml"))], ids=str)
def test_every_file_of_the_project_is_to_us_what_it_is_to_dvc(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert repr(parse_yaml(text)) == repr(parse_yaml_as_dvc(text, path.name))
