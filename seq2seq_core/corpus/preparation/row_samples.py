"""Samples of the rows that ``prepare`` drops or changes, with file and line: what ``reports/dropped.jsonl`` holds."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import MONOLINGUAL
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.corpus.preparation.funnel import AUGMENTED, Funnel
from seq2seq_core.corpus.preparation.split_rows import SplitRows
from seq2seq_core.corpus.rows.row_store import literal

TEXT_CHARACTERS = 500
"""Characters of a text that a sample keeps."""


@dataclass(frozen=True)
class RowSample:
    """A row that was dropped or changed.

    Attributes:
        split: where it was read: ``train``, ``monolingual.en`` and such, or ``teacher`` for an output of the teacher.
        rule: the rule that dropped it, or the setting that changed it.
        file: name of its file; empty for an output of the teacher.
        line: its number there.
        texts: its texts as they were read, by side.
        changed_texts: the same as they are written; empty for a dropped row.
    """

    split: str
    rule: str
    file: str
    line: int
    texts: dict[str, str]
    changed_texts: dict[str, str]

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}" if self.file else ""

    def as_line(self) -> str:
        """One line of the file of samples, its line end included."""
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"


class RowSamples:
    """Keeps an even sample of the rows of each rule: those with the smallest digests of file and line.

    The same rows of the same files give the same sample, in any order of reading.

    Args:
        most: number of rows kept for each rule and split; 0: none.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: dict[tuple[str, str], list[tuple[int, int, RowSample]]] = {}
        self._num_added = 0

    def add_dropped(self, split: str, rule: str, row: Row) -> None:
        """Adds a row that a rule dropped.

        Args:
            split: where it was read.
            rule: its name in the funnel.
            row: as it was read.
        """
        if self.most:
            self._add(split, rule, row, texts_of(split, row.source, row.target), {})

    def add_changed(self, split: str, rules: Sequence[str], row: Row, source: str, target: str) -> None:
        """Adds a row whose texts are written otherwise than they were read.

        Args:
            split: where it was read.
            rules: the settings that changed it.
            row: as it was read.
            source: as it is written.
            target: as it is written.
        """
        for rule in rules if self.most else ():
            self._add(split, rule, row, texts_of(split, row.source, row.target), texts_of(split, source, target))

    def _add(self, split: str, rule: str, row: Row, texts: dict[str, str], changed_texts: dict[str, str]) -> None:
        kept = self._kept.setdefault((split, rule), [])
        self._num_added += 1
        key = -sample_key(row), -self._num_added
        if len(kept) == self.most and key < kept[0][:2]:
            return
        entry = (*key, RowSample(split, rule, row.file, row.line, texts, changed_texts))
        if len(kept) < self.most:
            heapq.heappush(kept, entry)
        else:
            heapq.heapreplace(kept, entry)

    def lines(self, funnels: Mapping[str, Funnel]) -> Iterator[str]:
        """The lines of the file of samples: by split and rule in the order of the funnels, then as the rows were read.

        Args:
            funnels: by split.
        """
        for split, funnel in funnels.items():
            for rule in (*funnel.dropped, *funnel.changed, *(f"{AUGMENTED}.{kind}" for kind in funnel.augmented)):
                for _, _, sample in sorted(self._kept.get((split, rule), ()), key=lambda entry: -entry[1]):
                    yield sample.as_line()


def texts_of(split: str, source: str, target: str) -> dict[str, str]:
    """The texts of a row by side, each cut to :data:`TEXT_CHARACTERS`; of a sentence its text alone.

    Args:
        split: the row's split.
        source: its source.
        target: its target.
    """
    sides = {"text": source} if split.startswith(f"{MONOLINGUAL}.") else {SOURCE: source, TARGET: target}
    return {side: text if len(text) <= TEXT_CHARACTERS else text[:TEXT_CHARACTERS] + "…" for side, text in sides.items()}


def sample_key(row: Row) -> int:
    """The number that decides whether a row is among those that are kept."""
    origin = f"{row.file}:{row.line}" if row.file else f"{row.source}\0{row.target}"
    return int.from_bytes(hashlib.md5(origin.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest(), "big")


def read_samples(path: Path) -> list[RowSample]:
    """The samples in a file that ``prepare`` wrote.

    Args:
        path: such as ``reports/dropped.jsonl``.

    Raises:
        OSError: it cannot be read.
        ValueError, TypeError: it is no such file.
    """
    with path.open(encoding="utf-8") as file:
        values: list[dict[str, Any]] = [json.loads(line) for line in file]
    return [RowSample(**value) for value in values]


def count_and_sample(rows: SplitRows, split: str, funnels: Mapping[str, Funnel], samples: RowSamples) -> None:
    """Counts the rows that were dropped and changed, and keeps samples of them.

    Args:
        rows: with all verdicts.
        split: their own.
        funnels: by split, of those too that are carved out of the rows.
        samples: receives the samples.
    """
    counted = rows.store.fetch(f"SELECT rule, count(*) FROM {rows.verdicts} GROUP BY rule")
    for rule, count in counted:
        funnels[split].dropped[rule] = count
        verdicts = f"SELECT position FROM {rows.verdicts} WHERE rule = {literal(rule)}"
        for file, line, source, target in _pick(rows, verdicts, samples.most, "raw_source, raw_target"):
            samples.add_dropped(split, rule, Row(source, target, {}, file, line))
    for member in (split, *funnels[split].carved):
        _count_changes(rows, member, funnels[member].changed, samples)


def _count_changes(rows: SplitRows, split: str, changed: dict[str, int], samples: RowSamples) -> None:
    """Counts the rows of a split that are written otherwise than they were read, by setting."""
    if not changed:
        return
    counts = ", ".join(f"count(*) FILTER (changed_by_{rule})" for rule in changed)
    (counted,) = rows.store.fetch(f"SELECT {counts} FROM ({rows.left(split)})")
    for rule, count in zip(changed, counted, strict=True):
        changed[rule] = count
        positions = f"SELECT position FROM ({rows.left(split)}) WHERE changed_by_{rule}"
        picked = _pick(rows, positions, samples.most, "raw_source, raw_target, source, target") if count else []
        for file, line, raw_source, raw_target, source, target in picked:
            samples.add_changed(split, [rule], Row(raw_source, raw_target, {}, file, line), source, target)


def _pick(rows: SplitRows, positions: str, most: int, columns: str) -> list[tuple[Any, ...]]:
    """File, line and texts of an even sample of some rows, in the order of the corpus."""
    kept = rows.texts(positions, f"ORDER BY md5(file || ':' || line), position LIMIT {most}")
    return rows.store.fetch(f"SELECT file, line, {columns} FROM {kept} ORDER BY position") if most else []
