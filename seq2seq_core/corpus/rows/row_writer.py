"""Rows that Python has read, written into the database in batches."""

from __future__ import annotations

import hashlib

from seq2seq_core.audio.sound_file import RecordingError
from seq2seq_core.corpus.contracts import is_monolingual
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.recordings import Recordings
from seq2seq_core.corpus.rows.row_store import RowStore


class RowWriter:
    """Writes the rows of one split into its table.

    Args:
        store: the database.
        split: the split; its table is made here.
        recordings: those that its sources name; None where sources are texts.

    Attributes:
        recordings_hash: SHA-256 over the digests of the recordings so far, in order of the rows.
    """

    def __init__(self, store: RowStore, split: str, recordings: Recordings | None = None) -> None:
        self.store, self.split = store, split
        self.recordings = None if is_monolingual(split) else recordings
        self.recordings_hash = hashlib.sha256()
        store.add_split(split)

    def add(self, rows: list[Row]) -> None:
        """Adds rows to the split.

        Args:
            rows: in the order of the corpus.
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
        if self.recordings is not None:
            identities, faults = self._hear(rows, self.recordings)
            arrays["identity"] = pyarrow.array(identities, type=pyarrow.string())
            arrays["fault"] = pyarrow.array(faults, type=pyarrow.string())
        self.store.append(self.split, arrays)

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
