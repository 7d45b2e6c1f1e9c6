"""Every benchmark answers `--help` with its purpose and its command, and reads no argument by itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
BENCHMARKS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_has_a_parser_that_shows_its_page(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    parsers = [call for call in calls if ast.unparse(call.func) == "argparse.ArgumentParser"]
    assert parsers, "it has no argparse.ArgumentParser"
    described = [ast.unparse(keyword.value) for call in parsers for keyword in call.keywords if keyword.arg == "description"]
    assert any("__doc__" in text for text in described), "its parser does not show the module's docstring"
    assert f"python benchmarks/{path.name}" in (ast.get_docstring(tree) or ""), "its docstring does not show its command"
    read = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.argv"]
    assert not read, "it reads sys.argv itself"
    assert any(ast.unparse(call.func).endswith(".parse_args") for call in calls)


def test_there_are_benchmarks() -> None:
    assert len(BENCHMARKS) > 30
