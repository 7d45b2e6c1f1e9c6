"""Loads the splits of a corpus into the database of rows: plain files in blocks, all others line by line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from seq2seq_core.corpus.file_faults.broken_lines import MOST_BROKEN, BrokenLines
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.named_files.source_files import SourceFiles
from seq2seq_core.corpus.reading import CorpusEntry, SplitReader
from seq2seq_core.corpus.rows.plain_blocks import EntryEnd, OddFile, iterate_blocks
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.corpus.rows.row_writer import RowWriter
from seq2seq_core.errors import CorpusError

BATCH_ROWS = 20_000
BATCH_CHARACTERS = 16 << 20
"""A batch ends with the row that reaches either number."""


class SplitLoader:
    """Loads the entries of one split into its table.

    Args:
        store: the database.
        reader: of the split.
        files: those that its sources name; None where sources are texts.
        report: called after each batch; ``reader.bytes_read`` tells how far it is.
        num_faults: number of the faults of each file that are told in full.
        is_strict: whether the first fault is raised.

    Attributes:
        writer: writes the rows that are read line by line.
        set_aside: by entry, the faults of its lines that are set aside.
        num_set_aside: number of all these lines.
    """

    def __init__(
        self,
        store: RowStore,
        reader: SplitReader,
        files: SourceFiles | None,
        report: Callable[[], None] = lambda: None,
        num_faults: int = 1,
        is_strict: bool = False,
    ) -> None:
        self.store, self.reader, self.report, self.split = store, reader, report, reader.split
        self.writer = RowWriter(store, reader.split, files, is_strict)
        self.is_strict, self.num_faults, self.num_set_aside = is_strict, num_faults, 0
        self.set_aside: dict[str, list[CorpusError]] = {}

    def load(self, entry: CorpusEntry) -> list[CorpusError]:
        """Loads an entry; returns its faults, those of all lines, unless the settings accept that they are set aside.

        Args:
            entry: one of the reader's.

        Raises:
            CorpusError: the entry has a fault, and this is strict.
        """
        ends = self.store.ends[self.split]
        (place,) = (place for place, one in enumerate(self.reader.entries) if one is entry)
        if (end := ends.get(place)) is not None:  # an earlier run has read it, and has looked at what was added since
            self._load_blocks(entry, place, end)
            return []
        if self.writer.files is None:
            with self.store.undo_unless_kept(self.split) as kept:
                try:
                    self._load_blocks(entry, place)
                    kept.append(True)
                except OddFile:
                    ends.pop(place, None)
            if kept:
                return []
        return self._load_lines(entry)

    def _load_blocks(self, entry: CorpusEntry, place: int, after: EntryEnd | None = None) -> None:
        """Loads an entry, or what has been added to it since an earlier run."""
        import pyarrow

        sizes = tuple(file.path.stat().st_size for file in entry.files)
        if after is not None and after.sizes == sizes:
            return
        for block in iterate_blocks(self.reader, entry, after):
            if entry.constants.keys() & block.others.keys():
                raise OddFile
            rows = len(block.line)
            arrays: dict[str, Any] = {"line": block.line, **block.texts, "file": pyarrow.repeat(entry.files[0].name, rows)}
            arrays |= {self.store.column(self.split, name): column for name, column in block.others.items()}
            arrays |= {self.store.column(self.split, name): pyarrow.repeat(value, rows) for name, value in entry.constants.items()}
            if layout := self.store.layout(self.split, [*block.others, *entry.constants]):
                arrays["layout"] = pyarrow.repeat(layout, rows)
            self.store.append(self.split, arrays)
            if rows:
                self.store.ends[self.split][place] = EntryEnd(sizes, block.line[-1].as_py() + 1)
            self.report()

    def _load_lines(self, entry: CorpusEntry) -> list[CorpusError]:
        if self.is_strict:
            self._add_rows(self.reader.iterate_accepted(entry))
            return []
        accepted = self.reader.corpus.max_malformed_fraction
        broken = BrokenLines(self.num_faults, sys.maxsize if accepted else MOST_BROKEN)
        num_before = self.store.counts[self.split]
        self._add_rows(broken.set_aside(broken.collect(self.reader.iterate_entry(entry, broken))))
        if not accepted or not broken.is_accepted(self.store.counts[self.split] - num_before, accepted):
            return broken.faults()
        if broken.num_lines:
            self.set_aside[entry.name] = broken.faults()
            self.num_set_aside += broken.num_lines
        return []

    def _add_rows(self, rows: Iterator[Row]) -> None:
        batch, characters = list[Row](), 0
        try:
            for row in rows:
                batch.append(row)
                characters += len(row.source) + len(row.target)
                if len(batch) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
                    self.writer.add(batch)
                    self.report()
                    batch, characters = [], 0
        except CorpusError:
            self.writer.add(batch)  # the file of an earlier row may have a fault too
            raise
        self.writer.add(batch)
