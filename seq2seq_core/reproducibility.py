"""What makes two runs end in the same weights: seeds that follow from the place in the run, and digests of what shapes a result."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def derive_seed(*parts: int | str) -> int:
    """A seed for one use of randomness, independent of all others: the first 63 bits of the SHA-256 of the parts.

    Reseeding at every update makes the random streams a function of the place in the run, also where a library hides its state.

    Args:
        parts: what the seed belongs to, such as ``(seed, "update", epoch, index)``.
    """
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:8], "big") >> 1


def digest(value: object) -> str:
    """SHA-256, in hexadecimal digits, of a value of JSON's types; independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def code_digest(paths: Iterable[Path]) -> str:
    """SHA-256 of what some Python files do: comments, layout and docstrings do not count.

    Args:
        paths: files, or folders whose ``*.py`` files are taken.
    """
    files = sorted(file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path]))
    return digest([[file.name, ast.dump(_without_docstrings(ast.parse(file.read_text(encoding="utf-8"))))] for file in files])


def _without_docstrings(tree: ast.Module) -> ast.Module:
    """The tree with each constant that stands as a statement removed."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [item for item in body if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))]
    return tree
