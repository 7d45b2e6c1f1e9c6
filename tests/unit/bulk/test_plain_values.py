"""The values of rows in the output: those of JSON lines as they were written, those of Parquet in a form that JSON has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seq2seq_core.bulk.plain_values import json_of, plain_values, with_members

from .conftest import Run

FAR = 1 << 62
"""In microseconds, a date in the year 148107."""


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_json_lines_keep_their_values_as_they_are_written(tmp_path: Path, run_mirrored: Run) -> None:
    lines = [
        '{"source":"ab","big":1e400,"long":0.1234567890123456789012,"money": 1.10, "zero":-0.0,"int":12345678901234567890}',
        ' { "source" : "caf\\u00e9", "list": [1.0, {"x": 1.10}] , "twice": 1, "twice": 2 } ',
        '{"n": 1.10}',
        "{ }",
    ]
    (tmp_path / "in.jsonl").write_bytes("".join(f"{line}\r\n" for line in lines).encode())
    run_mirrored(tmp_path / "in.jsonl")
    found = (tmp_path / "out" / "in-00000.jsonl").read_text().splitlines()
    for line, written in zip(lines[:3], found[:3], strict=True):
        assert written.startswith(line.strip().removesuffix("}").rstrip() + ', "prediction": ')
    assert found[3].startswith('{"prediction": null, ')
    assert [json.loads(line)["prediction"] for line in found] == ["ba", "éfac", None, None]


def test_numbers_that_json_does_not_have_are_null(tmp_path: Path, run_mirrored: Run) -> None:
    nan, infinite = float("nan"), float("inf")
    columns = {
        "source": ["ab", "cd"],
        "score": [nan, 0.5],
        "list": [[1.0, -infinite], [2.0]],
        "deep": [{"x": infinite}, {"x": 1.0}],
    }
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    run_mirrored(tmp_path / "in.parquet", output_format="jsonl")
    first, second = rows_of(tmp_path / "out" / "in-00000.jsonl")
    assert (first["score"], first["list"], first["deep"]) == (None, [1.0, None], {"x": None})
    assert (second["score"], second["list"], second["deep"], second["prediction"]) == (0.5, [2.0], {"x": 1.0}, "dc")


@pytest.mark.parametrize("format_of_output", ["jsonl", "csv", "parquet"])
def test_dates_that_python_cannot_hold_do_not_refuse_a_file(tmp_path: Path, run_mirrored: Run, format_of_output: str) -> None:
    kind = pa.timestamp("us")
    table = pa.table({
        "source": ["ab", "cd"],
        "when": pa.array([FAR, 0], kind),
        "deep": pa.array([[{"at": FAR}], None], pa.list_(pa.struct([("at", kind)]))),
        "for": pa.array([FAR, 1], pa.duration("s")),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "in.parquet")
    assert run_mirrored(tmp_path / "in.parquet", output_format=format_of_output).num_errors == 0
    if format_of_output == "jsonl":
        first, second = rows_of(tmp_path / "out" / "in-00000.jsonl")
        assert (first["when"], first["deep"], first["for"]) == (str(FAR), [{"at": str(FAR)}], str(FAR))
        assert (second["when"], second["deep"], second["for"]) == ("1970-01-01 00:00:00", None, "0:00:01")


def test_a_date_with_a_year_that_arrow_can_write_is_its_text() -> None:
    assert plain_values(pa.array([FAR // 10, None], pa.timestamp("us", "UTC"))) == ["16583-11-07 13:24:02.738790Z", None]


def test_members_are_added_to_an_object_of_any_form() -> None:
    assert with_members("{}", {"a": 1}) == '{"a": 1}'
    assert with_members('{"b": {}}\r\n', {"a": float("nan")}) == '{"b": {}, "a": null}'
    assert json_of({"a": (float("inf"), 1)}) == '{"a": [null, 1]}'
