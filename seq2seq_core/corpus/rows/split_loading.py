"""Loads the splits of a corpus into the database of rows: plain files in blocks, all others line by line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from seq2seq_core.audio.sound_file import RecordingError
from seq2seq_core.corpus.contracts import is_monolingual
from seq2seq_core.corpus.file_faults.broken_lines import BrokenLines
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.reading import CorpusEntry, SplitReader
from seq2seq_core.corpus.recordings import Recordings
from seq2seq_core.corpus.rows.plain_blocks import OddFile, iterate_blocks
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.errors import CorpusError

BATCH_ROWS = 20_000
BATCH_CHARACTERS = 16 << 20
"""A batch ends with the row that reaches either number."""


class SplitLoader:
    """Loads the entries of one split into its table.

    Args:
        store: the database.
        reader: of the split.
        recordings: those that its sources name; None where sources are texts.
        report: called after each batch; ``reader.bytes_read`` tells how far it is.

    Attributes:
        recordings_hash: SHA-256 over the digests of the recordings so far, in order of the rows.
    """

    def __init__(
        self, store: RowStore, reader: SplitReader, recordings: Recordings | None, report: Callable[[], None] = lambda: None
    ) -> None:
        self.store, self.reader, self.recordings, self.report = store, reader, recordings, report
        self.split, self.is_monolingual = reader.split, is_monolingual(reader.split)
        self.recordings_hash = hashlib.sha256()
        store.add_split(self.split)

    def load(self, entry: CorpusEntry) -> list[CorpusError]:
        """Loads an entry; returns its faults, those of all lines.

        Args:
            entry: one of the reader's.
        """
        if self.recordings is None:
            with self.store.undo_unless_kept(self.split) as kept:
                try:
                    self._load_blocks(entry)
                    kept.append(True)
                except OddFile:
                    pass
            if kept:
                return []
        return self._load_lines(entry)

    def _load_blocks(self, entry: CorpusEntry) -> None:
        import pyarrow

        for block in iterate_blocks(self.reader, entry):
            others = [name for name in block if name not in ("line", "source", "target")]
            if entry.constants.keys() & set(others):
                raise OddFile
            rows = len(block["line"])
            arrays = {name: block[name] for name in ("line", "source", "target") if name in block}
            arrays["file"] = pyarrow.repeat(entry.files[0].name, rows)
            arrays |= {self.store.column(self.split, name): block[name] for name in others}
            arrays |= {self.store.column(self.split, name): pyarrow.repeat(value, rows) for name, value in entry.constants.items()}
            self.store.append(self.split, arrays)
            self.report()

    def _load_lines(self, entry: CorpusEntry) -> list[CorpusError]:
        broken = BrokenLines()
        rows = broken.collect(self.reader.iterate_entry(entry, broken))
        batch, characters = list[Row](), 0
        for row in rows:
            batch.append(row)
            characters += len(row.source) + len(row.target)
            if len(batch) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
                self.add(batch)
                batch, characters = [], 0
        self.add(batch)
        return broken.faults()

    def add(self, rows: list[Row]) -> None:
        """Adds rows to the split.

        Args:
            rows: in the order of the corpus.
        """
        import pyarrow

        if not rows:
            return
        texts = {"file": [row.file for row in rows], "source": [row.source for row in rows]}
        if not self.is_monolingual:
            texts["target"] = [row.target for row in rows]
        arrays = {name: pyarrow.array(values, type=pyarrow.string()) for name, values in texts.items()}
        arrays["line"] = pyarrow.array([row.line for row in rows], type=pyarrow.int64())
        for name in dict.fromkeys(name for row in rows for name in row.columns):
            values = [row.columns.get(name) for row in rows]
            arrays[self.store.column(self.split, name)] = pyarrow.array(values, type=pyarrow.string())
        if self.recordings is not None and not self.is_monolingual:
            identities, faults = self._hear(rows, self.recordings)
            arrays["identity"] = pyarrow.array(identities, type=pyarrow.string())
            arrays["fault"] = pyarrow.array(faults, type=pyarrow.string())
        self.store.append(self.split, arrays)
        self.report()

    def _hear(self, rows: list[Row], recordings: Recordings) -> tuple[list[str | None], list[str | None]]:
        """The digests of the rows' recordings, and the faults of those that cannot be used."""
        identities, faults = list[str | None](), list[str | None]()
        for row in rows:
            try:
                found = recordings.find(row.source).digest
            except RecordingError as error:
                identities.append(None)
                faults.append(str(error))
                continue
            self.recordings_hash.update(found.encode())
            identities.append(found)
            faults.append(None)
        return identities, faults
