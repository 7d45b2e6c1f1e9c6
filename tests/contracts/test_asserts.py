"""An assert only looks: PYTHONOPTIMIZE removes it, and the program must do the same work without."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOOKING = {"isinstance", "len", "set", "all", "any", "isoformat", "keys", "tell", "is_file", "exists"}
"""Functions and methods that change nothing."""


def acting_asserts(tree: ast.AST) -> list[int]:
    """The lines of asserts that call something else, or that bind a name."""
    return [
        statement.lineno
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Assert)
        for part in ast.walk(statement.test)
        if isinstance(part, ast.NamedExpr | ast.Await)
        or (isinstance(part, ast.Call) and ast.unparse(part.func).rpartition(".")[2] not in LOOKING)
    ]


@pytest.mark.parametrize("package", ["seq2seq_core", "flows"])
def test_no_assert_does_work(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    found = {path.relative_to(ROOT).as_posix(): acting_asserts(ast.parse(path.read_text(encoding="utf-8"))) for path in files}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize("line", ["assert study.ask().number == 1", "assert (found := find())", "assert queue.pop()"])
def test_an_assert_that_does_work_is_found(line: str) -> None:
    assert acting_asserts(ast.parse(f"x = 1\n{line}\n"))[0] == 2
