"""Lines before the first row of a table that are no rows: comments, and what Anki and Excel say there about the layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import dropwhile

HEAD_MARKS = ("#", "sep=", ";;;", "//", "%")
"""Usual beginnings of such lines."""


def without_head(lines: Iterable[tuple[int, str]], prefix: str) -> Iterator[tuple[int, str]]:
    """The lines of a table from its first row (or header) on.

    Args:
        lines: numbered lines.
        prefix: ``corpus.comment_prefix``; empty: there are no lines before the first row.
    """
    return dropwhile(lambda line: line[1].startswith(prefix), lines) if prefix else iter(lines)


def head_mark(line: str) -> str:
    """The usual beginning of a line that is no row; empty: the line has none."""
    return next((mark for mark in HEAD_MARKS if line.lower().startswith(mark)), "")


def advise_on_head(cells: Sequence[str]) -> str:
    """Advice for a first line that does not fit the settings: the setting that skips it, where it begins as a comment.

    Args:
        cells: the line's cells.
    """
    mark = head_mark(cells[0]) if cells else ""
    return f"; if the lines at the head that begin with {mark!r} are no rows: corpus.comment_prefix: {mark!r}" if mark else ""
