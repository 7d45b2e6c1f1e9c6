"""The rows that were added, removed or changed between two corpora, by the hashes of their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.lineage.corpus_rows import CorpusRows, Hashes

Kind = Literal["added", "removed", "changed"]
Places = NDArray[np.int64]
_ODD = np.uint64(0x9E3779B97F4A7C15)
"""Spreads the number of a repetition over all bits."""


@dataclass(frozen=True)
class RowChange:
    """A row that differs.

    Attributes:
        kind: ``changed``: rows of both corpora stand between the same unchanged ones.
        file: the file's name.
        line: of the later corpus; of the earlier one where the row was removed.
        line_before: of a changed row, its line in the earlier corpus; else 0.
        text: the row, as at ``line``; empty where no file with these bytes is at hand.
        text_before: of a changed row, the earlier one.
    """

    kind: Kind
    file: str
    line: int
    line_before: int = 0
    text: str = ""
    text_before: str = ""


@dataclass(frozen=True)
class FileRows:
    """What became of the rows of a file.

    Attributes:
        file: its name.
        changes: in order of their lines.
        is_reordered: whether the rows that both corpora have stand in another order.
    """

    file: str
    changes: tuple[RowChange, ...]
    is_reordered: bool = False

    def counts(self) -> dict[str, Any]:
        """The number of changes of each kind."""
        kinds: tuple[Kind, ...] = ("added", "removed", "changed")
        return {kind: sum(change.kind == kind for change in self.changes) for kind in kinds}


def compare_corpora(before: CorpusRows, after: CorpusRows) -> list[FileRows]:
    """The files whose rows differ, in order of their names.

    Args:
        before: of the earlier version.
        after: of the later version.
    """
    none = np.empty(0, dtype=np.uint64)
    names = sorted(before.files.keys() | after.files.keys())
    compared = (compare_rows(name, before.files.get(name, none), after.files.get(name, none)) for name in names)
    return [rows for rows in compared if rows.changes or rows.is_reordered]


def compare_rows(file: str, before: Hashes, after: Hashes) -> FileRows:
    """What became of the rows of a file.

    Rows that both have, each as often as both have it, are unchanged. Between two unchanged neighbours, a removed and an added row
    are one changed row.

    Args:
        file: its name.
        before: a hash of each row.
        after: the same of the later corpus.
    """
    old, new = _numbered(before), _numbered(after)
    is_kept, is_found = np.isin(old, new), np.isin(new, old)
    removed, added = np.flatnonzero(~is_kept), np.flatnonzero(~is_found)
    if not np.array_equal(old[is_kept], new[is_found]):
        changes = [RowChange("removed", file, int(place) + 1) for place in removed]
        changes += [RowChange("added", file, int(place) + 1) for place in added]
        return FileRows(file, tuple(changes), is_reordered=True)
    return FileRows(file, tuple(_pair(file, removed, added, np.cumsum(is_kept), np.cumsum(is_found))))


def _numbered(hashes: Hashes) -> Hashes:
    """The hashes with the number of each repetition mixed in, so that all are different."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    is_first = np.ones(len(ordered), dtype=bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(ordered)), 0))
    repetition = np.empty(len(ordered), dtype=np.uint64)
    repetition[order] = (np.arange(len(ordered)) - starts).astype(np.uint64)
    return hashes ^ (repetition * _ODD)


def _pair(file: str, removed: Places, added: Places, kept_before: Places, kept_after: Places) -> list[RowChange]:
    """The changes in order; a gap is the number of unchanged rows before it."""
    gaps: dict[int, tuple[list[int], list[int]]] = {}
    for side, (places, kept) in enumerate(((removed, kept_before), (added, kept_after))):
        for place in places:
            gaps.setdefault(int(kept[place]), ([], []))[side].append(int(place) + 1)
    changes: list[RowChange] = []
    for gap in sorted(gaps):
        old, new = gaps[gap]
        number = min(len(old), len(new))
        changes += [RowChange("changed", file, after, before) for before, after in zip(old[:number], new[:number], strict=True)]
        changes += [RowChange("removed", file, line) for line in old[number:]]
        changes += [RowChange("added", file, line) for line in new[number:]]
    return changes
