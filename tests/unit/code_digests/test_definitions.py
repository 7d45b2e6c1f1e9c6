"""Two versions of a module differ in a definition, at a line."""

from __future__ import annotations

import ast

import pytest

from seq2seq_core.code_digests.definitions import compare_definitions

BEFORE = '''"""A module."""

import os

MOST: int = 3


class Reader:
    width: int = 2

    def read(self, text: str) -> str:
        # a comment
        if text:
            return text
        try:
            return os.sep
        except ValueError:
            return text * (
                1 + MOST
            )


def close() -> None:
    pass
'''


@pytest.mark.parametrize(
    ("old", "new", "name", "line"),
    [
        ("MOST: int = 3", "MOST: int = 4", "changed constant MOST", 5),
        ("width: int = 2", "width: int = 3", "changed class Reader", 9),
        ("if text:", "if not text:", "changed method Reader.read", 13),
        ("except ValueError", "except KeyError", "changed method Reader.read", 17),
        ("1 + MOST", "2 + MOST", "changed method Reader.read", 19),
        ("            return text\n        try", "            return ''\n        try", "changed method Reader.read", 14),
        ("        if text:\n            return text\n", "", "changed method Reader.read", 13),
        ("import os", "import sys as os", "changed its imports", 3),
        ("def close() -> None:\n    pass\n", "", "removed function close", 23),
        ("def close", "def open_() -> int:\n    return 1\n\n\ndef close", "new function open_", 23),
    ],
)
def test_the_first_line_that_differs_is_named(old: str, new: str, name: str, line: int) -> None:
    assert BEFORE.count(old) == 1
    (change,) = compare_definitions(BEFORE, BEFORE.replace(old, new))
    assert (f"{change.kind} {change.name}", change.line) == (name, line)


def test_comments_layout_annotations_and_docstrings_are_no_difference() -> None:
    other = ast.unparse(ast.parse(BEFORE)).replace("text: str", "text: object").replace("A module", "The module")
    assert compare_definitions(BEFORE, other) == []
