"""Every table that the project writes is the same table to every reader."""

from __future__ import annotations

import ast
import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas
import pytest

from seq2seq_core.csv_text import format_csv

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    "plain", "", " spaces ", "a,b", 'say "no"', '"', "two\nlines", "two\r\nlines", "a lone\rCR", "ends in CR\r", "\rbegins with it",
    "=1+1", "+49 30", "-5", "@name", "tab\there", "semicolon;", "pipe|", "#no comment", "NA", "null", "007", "1e5", "true",
    "\u2028line\u0085ends\x0b\x0c", "中文 é \u0301 🙂", "'", "\\", '\\"', "\\n", "x" * 5000,
]  # fmt: skip


def excel_rows(text: str) -> Iterator[list[str]]:
    """The rows as Excel takes them: an unquoted LF, CRLF or CR ends a row, and quotation marks count at the start of a cell."""
    row: list[str] = []
    cell, is_quoted, place = "", False, 0
    while place < len(text):
        character, following = text[place], text[place + 1 : place + 2]
        if is_quoted:
            if character == '"' and following == '"':
                cell, place = cell + '"', place + 1
            elif character == '"':
                is_quoted = False
            else:
                cell += character
        elif character == '"' and not cell:
            is_quoted = True
        elif character == ",":
            row, cell = [*row, cell], ""
        elif character in "\r\n":
            place += character + following == "\r\n"
            yield [*row, cell]
            row, cell = [], ""
        else:
            cell += character
        place += 1
    if row or cell:
        yield [*row, cell]


def pandas_rows(path: Path) -> list[list[str]]:
    frame = pandas.read_csv(path, dtype=str, keep_default_na=False, na_values=[])
    return [list(frame.columns), *frame.to_numpy().tolist()]


def duckdb_rows(path: Path) -> list[list[str]]:
    found = duckdb.sql(f"SELECT * FROM read_csv('{path}', header = true, all_varchar = true)")
    assert found is not None
    return [found.columns, *([cell or "" for cell in row] for row in found.fetchall())]


def check_every_reader(path: Path, rows: list[list[str]]) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file, strict=True)) == rows
    assert list(excel_rows(path.read_bytes().decode())) == rows
    assert pandas_rows(path) == rows
    assert duckdb_rows(path) == rows


def test_any_text_comes_back_from_every_reader(tmp_path: Path) -> None:
    rows = [["number", "text", "other"], *([str(number), text, TEXTS[-1 - number]] for number, text in enumerate(TEXTS))]
    path = tmp_path / "table.csv"
    path.write_text(format_csv(rows), encoding="utf-8", newline="")
    check_every_reader(path, rows)


def test_random_texts_come_back_from_every_reader(tmp_path: Path, fresh_random: random.Random) -> None:
    path = tmp_path / "table.csv"
    for _ in range(20):
        width = fresh_random.randrange(2, 5)
        cells = ["".join(fresh_random.choices('ab,"\r\n\t; =é', k=fresh_random.randrange(6))) for _ in range(8 * width)]
        table = [
            [f"column {place}" for place in range(width)],
            *(cells[start : start + width] for start in range(0, len(cells), width)),
        ]
        path.write_text(format_csv(table), encoding="utf-8", newline="")
        with path.open(encoding="utf-8", newline="") as file:
            assert list(csv.reader(file, strict=True)) == table
        assert list(excel_rows(path.read_bytes().decode())) == table
        assert pandas_rows(path) == table


@pytest.mark.parametrize(
    ("rows", "text"), [([["a"], [""], [None]], 'a\n""\n""\n'), ([["a", "b"], [1, None]], "a,b\n1,\n"), ([], "")]
)
def test_empty_cells_are_cells(rows: list[list[object]], text: str) -> None:
    assert format_csv(rows) == text
    assert [len(row) for row in csv.reader(io.StringIO(text))] == [len(row) for row in rows]


def test_no_other_module_writes_csv() -> None:
    writers = {"writer", "DictWriter", "to_csv"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in ("seq2seq_core", "flows")
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in writers and isinstance(node.value, ast.Name) and node.value.id == "csv"
    ]
    assert found == []
