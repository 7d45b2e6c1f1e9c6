"""Values inside nested columns, by dotted names: ``translation.en`` is ``en`` in the object of the column ``translation``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any


def parents_of(name: str, columns: Collection[str]) -> list[str]:
    """The columns that may hold a value with a dotted name, the innermost first; none where the name is itself a column.

    Args:
        name: such as ``a.b.c``, whose value may be in ``a.b`` or ``a``.
        columns: names of columns.
    """
    parts = name.split(".")
    if name in columns:
        return []
    return [parent for end in range(len(parts) - 1, 0, -1) if (parent := ".".join(parts[:end])) in columns]


def unfold(cells: Mapping[str, Any], wanted: Iterable[str]) -> Mapping[str, Any]:
    """The cells of a row in which the nested columns of some wanted names are replaced by their members.

    Args:
        cells: values by column.
        wanted: names of columns; those with dots may name members.
    """
    for name in wanted:
        if "." not in name:
            continue
        while parent := next((parent for parent in parents_of(name, cells) if isinstance(cells[parent], dict)), ""):
            cells = {
                key: value
                for column, cell in cells.items()
                for key, value in (_members(column, cell) if column == parent else {column: cell}).items()
            }
    return cells


def _members(column: str, cell: dict[str, Any]) -> dict[str, Any]:
    return {f"{column}.{key}": value for key, value in cell.items()}
