"""Rows that Python has read, written into the database in batches."""

from __future__ import annotations

import hashlib

from seq2seq_core.audio.sound_file import RecordingError
from seq2seq_core.corpus.contracts import is_monolingual
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.recordings import Recordings, find_recording
from seq2seq_core.corpus.rows.row_store import RowStore


class RowWriter:
    """Writes the rows of one split into its table.

    Args:
        store: the database.
        split: the split; its table is made here.
        recordings: those that its sources name; None where sources are texts.
        is_strict: whether a recording that cannot be used is an error, not a fault of its row.

    Attributes:
        recordings_hash: SHA-256 over the digests of the recordings so far, in order of the rows.
    """

    def __init__(self, store: RowStore, split: str, recordings: Recordings | None = None, is_strict: bool = False) -> None:
        self.store, self.split, self.is_strict = store, split, is_strict
        self.recordings = None if is_monolingual(split) else recordings
        self.recordings_hash = hashlib.sha256()
        store.add_split(split)

    def add(self, rows: list[Row]) -> None:
        """Adds rows to the split.

        Args:
            rows: in the order of the corpus.

        Raises:
            CorpusError: a recording cannot be used, and this is strict.
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
        if self.recordings is not None:
            heard = [self._hear(row, self.recordings) for row in rows]
            kinds = {"identity": pyarrow.string(), "fault": pyarrow.string(), "seconds": pyarrow.float64()}
            for place, (name, kind) in enumerate(kinds.items()):
                arrays[name] = pyarrow.array([found[place] for found in heard], type=kind)
        self.store.append(self.split, arrays)

    def _hear(self, row: Row, recordings: Recordings) -> tuple[str | None, str | None, float | None]:
        """The digest of a row's recording, its fault if it cannot be used, and its duration."""
        try:
            found = find_recording(recordings, row) if self.is_strict else recordings.find(recordings.name_in(row))
        except RecordingError as error:
            return None, recordings.locate(row, error), None
        self.recordings_hash.update(found.digest.encode())
        return found.digest, None, found.seconds
