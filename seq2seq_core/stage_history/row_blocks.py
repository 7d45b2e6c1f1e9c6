"""Digests of the rows of a text file, small enough to be kept, by which rows that were added, removed and changed are counted.

Of a file of usual size each row has its digest. A larger one is divided where the content says so (a row whose checksum ends in
zeros ends a block), so that a row added in front moves no other block.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENDINGS = (".tsv", ".csv", ".jsonl", ".txt", ".tmx")
"""Endings of the names of files with a row a line, plain or with ``.gz`` behind them; others have no rows here."""
ROW_BYTES = 64 << 20
"""Size of a file, as it lies on the disk, up to which each row has its digest."""
LARGE_BLOCK_ROWS = 64
"""Mean number of rows of a block of a larger file."""
MOST_ALIGNED = 2000
"""Most blocks that differ and are aligned one by one; of more only the numbers are compared."""
BLOCKS = np.dtype([("digest", "<u8"), ("rows", "<u4")])


@dataclass(frozen=True)
class RowChange:
    """How the rows of two versions of a file differ.

    Attributes:
        added: number of rows.
        removed: number of rows.
        changed: number of rows that stand in the place of another one.
        places: the first line of each kind, from 1: ``added`` and ``changed`` in the new version, ``removed`` in the old one; empty
            where too many differ.
        line: the first line that differs in the new version, from 1.
        last: the last line that differs in the new version; before ``line`` where rows were only removed.
        is_exact: whether each row was compared; else the numbers are those of blocks with a difference.
    """

    added: int
    removed: int
    changed: int
    places: Mapping[str, int]
    line: int
    last: int
    is_exact: bool

    def describe(self) -> str:
        """The change in words: ``2 rows added (from line 302), 1 row changed (line 17)``."""
        where = f"line {self.line}" if self.last <= self.line else f"lines {self.line} to {self.last}"
        if not self.is_exact:
            more = self.added - self.removed
            return f"{f'{more:+,}' if more else 'as many'} rows, the differences are in {where}"
        counts = {"added": self.added, "removed": self.removed, "changed": self.changed}
        words = [self._describe(kind, count) for kind, count in counts.items() if count]
        return ", ".join(words) if self.places else f"{', '.join(words)} ({where})"

    def _describe(self, kind: str, count: int) -> str:
        text = f"{count:,} row{'s' if count != 1 else ''} {kind}"
        if kind not in self.places:
            return text
        place = f"{'it was line' if count == 1 else 'the first was line'}" if kind == "removed" else "line"
        return f"{text} ({'from ' if count > 1 and kind != 'removed' else ''}{place} {self.places[kind]})"


def has_rows(name: str) -> bool:
    """Whether a file of this name has a row a line."""
    return name.removesuffix(".gz").endswith(ENDINGS)


def read_blocks(path: Path) -> NDArray[Any]:
    """The blocks of a file, one after the other: their digests and numbers of rows.

    Args:
        path: a file with rows; one that ends in ``.gz`` is unpacked.

    Raises:
        OSError, EOFError, zlib.error: the file cannot be read.
    """
    divisor = 1 if path.stat().st_size <= ROW_BYTES else LARGE_BLOCK_ROWS
    with path.open("rb") as file:
        lines: Iterable[bytes] = gzip.GzipFile(fileobj=file) if path.name.endswith(".gz") else file
        return np.fromiter(_iterate_blocks(lines, divisor), BLOCKS)


def _iterate_blocks(file: Iterable[bytes], divisor: int) -> Iterator[tuple[int, int]]:
    if divisor == 1:
        for line in file:
            yield _digest(line.rstrip(b"\r\n")), 1
        return
    block: list[bytes] = []
    for line in file:
        block.append(line)
        if zlib.crc32(line) % divisor == 0:
            yield _digest(b"".join(block)), len(block)
            block = []
    if block:
        yield _digest(b"".join(block)), len(block)


def _digest(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def compare_blocks(before: NDArray[Any], after: NDArray[Any]) -> RowChange | None:
    """How two versions of a file differ; None: their rows are the same.

    Args:
        before: from :func:`read_blocks`.
        after: from :func:`read_blocks`.
    """
    start, end = _common_start(before, after), 0
    shorter = min(len(before), len(after)) - start
    if shorter:
        end = min(_common_start(before[start:][::-1], after[start:][::-1]), shorter)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if not (len(old) or len(new)):
        return None
    line = int(after[:start]["rows"].sum()) + 1
    last = line + int(new["rows"].sum()) - 1
    if (old["rows"] > 1).any() or (new["rows"] > 1).any():
        return RowChange(int(new["rows"].sum()), int(old["rows"].sum()), 0, {}, line, last, is_exact=False)
    counts, places = _align(old, new, line) if max(len(old), len(new)) <= MOST_ALIGNED else (_count(old, new), {})
    return RowChange(*counts, places, line, last, is_exact=True)


def _common_start(one: NDArray[Any], other: NDArray[Any]) -> int:
    """The number of blocks at the beginning that are the same."""
    length = min(len(one), len(other))
    differing = np.flatnonzero(one[:length]["digest"] != other[:length]["digest"])
    return int(differing[0]) if len(differing) else length


def _align(old: NDArray[Any], new: NDArray[Any], line: int) -> tuple[tuple[int, int, int], dict[str, int]]:
    """Numbers of rows that were added, removed and changed, and the first line of each; both versions begin at ``line``."""
    added = removed = changed = 0
    places = dict[str, int]()
    matcher = SequenceMatcher(None, old["digest"].tolist(), new["digest"].tolist(), autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            continue
        less, more = old_to - old_from, new_to - new_from
        both = min(less, more)
        added, removed, changed = added + more - both, removed + less - both, changed + both
        found = [("changed", both, new_from), ("added", more - both, new_from + both), ("removed", less - both, old_from + both)]
        for name, count, place in found:
            if count:
                places.setdefault(name, line + place)
    return (added, removed, changed), places


def _count(old: NDArray[Any], new: NDArray[Any]) -> tuple[int, int, int]:
    """The same where too many differ, whatever their order: a row that was removed and one that was added are a changed one."""
    values, places = np.unique(np.concatenate([old["digest"], new["digest"]]), return_inverse=True)
    difference = np.bincount(places[len(old) :], minlength=len(values)) - np.bincount(places[: len(old)], minlength=len(values))
    more, less = int(difference[difference > 0].sum()), int(-difference[difference < 0].sum())
    both = min(more, less)
    return more - both, less - both, both
