"""The lines of prepared files between runs: where the rows of an earlier run are written again, its bytes are copied.

A line depends on its row, the settings and the code alone. So a file begins as it did if the same rows fall into its split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from seq2seq_core.corpus.preparation.funnel import Funnel
from seq2seq_core.corpus.preparation.split_rows import SplitRows
from seq2seq_core.corpus.rows.earlier_rows import KeptFile
from seq2seq_core.corpus.rows.row_store import RowStore, identifier

_READ_BYTES = 1 << 20


class LinesFile:
    """A file that is being written, and the digest of what it has.

    Args:
        file: open for writing and empty.
        path: where it is.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file, self.path = file, path
        self._hash, self._size = hashlib.sha256(), 0

    def write(self, data: bytes | memoryview) -> None:
        """Adds bytes at the end."""
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)

    def copy(self, path: Path, expected: KeptFile) -> bool:
        """Whether the first bytes of a file are those that are expected; they are then written, and else nothing is.

        Args:
            path: the file.
            expected: of what it should have.
        """
        try:
            with path.open("rb") as other:
                while data := other.read(_READ_BYTES):
                    self.write(data)
        except OSError:
            pass
        if self.state == expected:
            return True
        self._file.seek(0)
        self._file.truncate()
        self._hash, self._size = hashlib.sha256(), 0
        return False

    @property
    def state(self) -> KeptFile:
        """Size and digest of what is written."""
        return KeptFile(num_bytes=self._size, digest=self._hash.hexdigest())


@contextmanager
def new_lines_file(path: Path) -> Iterator[LinesFile]:
    """A new file for lines.

    Args:
        path: where it will be.
    """
    with path.open("wb") as file:
        yield LinesFile(file, path)


def copy_earlier_lines(rows: SplitRows, file: LinesFile, funnel: Funnel) -> int:
    """The position of the first row whose line is not written; the lines of those before it are, as an earlier run wrote them.

    Args:
        rows: with all verdicts.
        file: named after the split into which they fall; receives the lines.
        funnel: receives the counts.
    """
    store, name = rows.store, file.path.name
    found = [(path, kept) for path, kept in store.earlier_files.items() if path.name == name]
    if not found or not rows.drops_as_before() or not file.copy(*found[0]):
        return 0
    for side, profile in funnel.profiles().items():
        lengths = dict[int, int](store.fetch(f"SELECT length, texts FROM {_lengths_table(name)} WHERE side = ?", (side,)))
        profile.add_counts(lengths)
    funnel.rows_out += funnel.target_characters.counts.total()
    return rows.num_known


def keep_lines(store: RowStore, file: LinesFile, funnel: Funnel) -> None:
    """Leaves the lines of a split to the next run.

    Args:
        store: whose database is kept.
        file: has all lines.
        funnel: has the counts of them alone.
    """
    counted = [
        (side, length, texts) for side, profile in funnel.profiles().items() for length, texts in sorted(profile.counts.items())
    ]
    table = _lengths_table(file.path.name)
    store.connection.execute(f"CREATE OR REPLACE TABLE {table} (side VARCHAR, length BIGINT, texts BIGINT)")
    if counted:
        store.insert(table, dict(zip(("side", "length", "texts"), zip(*counted, strict=True), strict=True)))
    store.files_to_keep[file.path] = file.state


def _lengths_table(name: str) -> str:
    """The table of the numbers of texts by length of a file, for SQL."""
    return identifier(f"written.{name}")
