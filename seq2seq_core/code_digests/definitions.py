"""The definitions of a module (functions, methods, classes, constants), and where two versions of a module differ."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from seq2seq_core.code_digests.syntax import strip_tree

_NESTED = ("body", "orelse", "finalbody", "handlers", "cases")
"""Fields of a statement that hold further statements."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS, MODULE_LEVEL = "its imports", "statements outside of functions"


@dataclass(frozen=True)
class _Step:
    """A simple statement, or the head of a compound one.

    Attributes:
        meaning: equal for equal behaviour.
        first: its first line, from 1.
        last: its last line.
    """

    meaning: str
    first: int
    last: int


@dataclass(frozen=True)
class DefinitionChange:
    """A definition in which two versions of a module differ.

    Attributes:
        kind: ``new`` and ``removed`` of the whole definition.
        name: such as ``function clean``, ``method Trainer.step``, ``constant MAX_ROWS``.
        line: of the first difference in the new version, from 1; of a removed definition in the old one.
        before: the line that differs, as it was; empty: there was none.
        after: the same line as it is now; empty: there is none.
    """

    kind: Literal["changed", "new", "removed"]
    name: str
    line: int
    before: str
    after: str


def compare_definitions(before: str, after: str, has_settings: bool = False) -> list[DefinitionChange]:
    """The definitions in which two versions of a module differ in meaning, in the order of the new one; removed ones come last.

    Args:
        before: the earlier text of the module.
        after: its present text.
        has_settings: whether declarations of settings are left out, as :func:`~seq2seq_core.code_digests.syntax.read_meaning` does.

    Raises:
        SyntaxError: a text is not valid Python.
    """
    old, new = _read(before, has_settings), _read(after, has_settings)
    old_lines, new_lines = before.splitlines(), after.splitlines()
    found = []
    for name, steps in new.items():
        if name not in old:
            first = steps[0].first
            found.append(DefinitionChange("new", name, first, "", _line(new_lines, first)))
        elif (change := _compare(name, old[name], steps, old_lines, new_lines)) is not None:
            found.append(change)
    gone = {name: steps[0].first for name, steps in old.items() if name not in new}
    return found + [DefinitionChange("removed", name, line, _line(old_lines, line), "") for name, line in gone.items()]


def _compare(
    name: str, old: Sequence[_Step], new: Sequence[_Step], old_lines: Sequence[str], new_lines: Sequence[str]
) -> DefinitionChange | None:
    """The first difference of a definition; None: both mean the same."""
    matcher = SequenceMatcher(None, [step.meaning for step in old], [step.meaning for step in new], autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            continue
        was = _text(old[old_from], old_lines) if old_to > old_from else []
        now = _text(new[new_from], new_lines) if new_to > new_from else []
        if not now:
            return DefinitionChange("changed", name, new[min(new_from, len(new) - 1)].first, was[0], "")
        first = new[new_from].first
        if not was:
            return DefinitionChange("changed", name, first, "", now[0])
        place = next((number for number, (one, other) in enumerate(zip(was, now, strict=False)) if one != other), 0)
        return DefinitionChange("changed", name, first + place, was[place], now[place])
    return None


def _text(step: _Step, lines: Sequence[str]) -> list[str]:
    return [_line(lines, number) for number in range(step.first, step.last + 1)]


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number - 1].strip() if number <= len(lines) else ""


def _read(text: str, has_settings: bool) -> Mapping[str, Sequence[_Step]]:
    """The steps of each definition of a module, by its name."""
    found: dict[str, list[_Step]] = {}
    for statement in ast.fix_missing_locations(strip_tree(text, has_settings)).body:
        if isinstance(statement, ast.ClassDef):
            for name, steps in _read_class(statement):
                found.setdefault(name, []).extend(steps)
        else:
            found.setdefault(_name(statement), []).extend(_steps(statement))
    return found


def _read_class(node: ast.ClassDef) -> Iterator[tuple[str, list[_Step]]]:
    """The class without its methods, and each method."""
    rest = [item for item in node.body if not isinstance(item, _FUNCTIONS)]
    yield f"class {node.name}", [_head(node), *(step for item in rest for step in _steps(item))]
    for item in node.body:
        if isinstance(item, _FUNCTIONS):
            yield f"method {node.name}.{item.name}", list(_steps(item))


def _name(statement: ast.stmt) -> str:
    if isinstance(statement, _FUNCTIONS):
        return f"function {statement.name}"
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return IMPORTS
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return f"constant {statement.targets[0].id}"
    return MODULE_LEVEL


def _steps(statement: ast.stmt) -> Iterator[_Step]:
    """A statement as steps, in the order of its lines."""
    yield _head(statement)
    for field in _NESTED:
        for inner in getattr(statement, field, ()):
            if isinstance(inner, ast.stmt):
                yield from _steps(inner)
            else:  # an exception handler or a case of a match
                yield _head(inner)
                for one in inner.body:
                    yield from _steps(one)


def _head(node: ast.stmt | ast.ExceptHandler | ast.match_case) -> _Step:
    """A statement without the statements in it."""
    inner = [one for field in _NESTED for one in getattr(node, field, ())]
    bare = copy.copy(node)
    for field in _NESTED:
        if hasattr(bare, field):
            setattr(bare, field, [])
    first = _first_line(node)
    last = _first_line(inner[0]) - 1 if inner else getattr(node, "end_lineno", first)
    return _Step(ast.dump(bare), first, max(first, last))


def _first_line(node: ast.AST) -> int:
    place = node.pattern if isinstance(node, ast.match_case) else node
    return int(getattr(place, "lineno", 1))
