"""Rows that Python has read, written into the database in batches."""

from __future__ import annotations

import hashlib

from seq2seq_core.corpus.contracts import is_monolingual
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.named_files.source_files import SourceFiles, find_source_file
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.errors import SourceFileError


class RowWriter:
    """Writes the rows of one split into its table.

    Args:
        store: the database.
        split: the split; its table is made here.
        files: those that a side names; None where both sides are texts.
        is_strict: whether a file that cannot be used is an error, not a fault of its row.

    Attributes:
        files_hash: SHA-256 over the digests of the files so far, in order of the rows.
    """

    def __init__(self, store: RowStore, split: str, files: SourceFiles | None = None, is_strict: bool = False) -> None:
        self.store, self.split, self.is_strict = store, split, is_strict
        self.files = None if is_monolingual(split) else files
        self.files_hash = hashlib.sha256()
        store.add_split(split)

    def add(self, rows: list[Row]) -> None:
        """Adds rows to the split.

        Args:
            rows: in the order of the corpus.

        Raises:
            CorpusError: a file cannot be used, and this is strict.
        """
        import pyarrow

        if not rows:
            return
        texts = {"file": [row.file for row in rows], "source": [row.source for row in rows]}
        if not is_monolingual(self.split):
            texts["target"] = [row.target for row in rows]
        arrays = {name: pyarrow.array(values, type=pyarrow.string()) for name, values in texts.items()}
        arrays["line"] = pyarrow.array([row.line for row in rows], type=pyarrow.int64())
        for name in dict.fromkeys(name for row in rows for name in row.columns):
            values = [row.columns.get(name) for row in rows]
            arrays[self.store.column(self.split, name)] = pyarrow.array(values, type=pyarrow.string())
        layouts = [self.store.layout(self.split, list(row.columns)) if len(row.columns) > 1 else None for row in rows]
        if any(layouts):
            arrays["layout"] = pyarrow.array(layouts, type=pyarrow.string())
        if self.files is not None:
            looked_at = [self._look_at(row, self.files) for row in rows]
            kinds = {"identity": pyarrow.string(), "fault": pyarrow.string(), "seconds": pyarrow.float64()}
            for place, (name, kind) in enumerate(kinds.items()):
                arrays[name] = pyarrow.array([found[place] for found in looked_at], type=kind)
        self.store.append(self.split, arrays)

    def _look_at(self, row: Row, files: SourceFiles) -> tuple[str | None, str | None, float | None]:
        """The digest of a row's file, its fault if it cannot be used, and the duration of a recording."""
        try:
            found = find_source_file(files, row) if self.is_strict else files.find(files.name_in(row))
        except SourceFileError as error:
            return None, files.locate(row, error), None
        self.files_hash.update(found.digest.encode())
        return found.digest, None, found.seconds
