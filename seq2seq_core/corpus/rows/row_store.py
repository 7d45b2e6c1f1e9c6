"""The database of rows: a DuckDB file under a memory limit, which lives as long as one stage runs. DuckDB is imported here."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from seq2seq_core.errors import UserError
from seq2seq_core.file_lock import hold_lock, wait_for_lock

LOCK = "lock"
OWN_COLUMNS = ("position", "file", "line", "source", "target", "identity", "fault")
"""Columns of every table of rows; the corpus's other columns are ``column_0`` and so on."""


CONFINEMENT = (
    "SET enable_external_access = false",
    # Without these two optimizers, a join keeps its sides, and so rows come in the order of the corpus.
    "SET disabled_optimizers = 'join_order,build_side_probe_side'",
    "SET lock_configuration = true",
)
"""Statements before those of others: they cannot read files, reach the network or change the settings."""


class _Busy(Exception):
    """Another process uses a folder."""


class RowStore:
    """The rows of the splits, a table each; see :func:`open_row_store`.

    Args:
        folder: holds the database and what it spills; the caller removes it.
        memory_limit: of DuckDB's buffers, such as ``2 GB``.

    Attributes:
        connection: reads and writes.
        columns: by split: the names of the corpus's other columns, in the order of ``column_0`` and so on.
        counts: by split: the number of rows.
    """

    def __init__(self, folder: Path, memory_limit: str) -> None:
        import duckdb

        self._path, self._memory_limit = folder / "rows.duckdb", memory_limit
        self._spill = folder / "spilled"
        self.columns: dict[str, list[str]] = {}
        self.counts: dict[str, int] = {}
        self.connection = duckdb.connect(str(self._path), config=self._config)

    @property
    def _config(self) -> dict[str, Any]:
        return {
            "memory_limit": self._memory_limit,
            "temp_directory": str(self._spill),
            "threads": len(os.sched_getaffinity(0)),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }

    @property
    def address(self) -> str:
        """The database's address for SQLAlchemy."""
        return f"duckdb:///{self._path}"

    @property
    def reading(self) -> dict[str, Any]:
        """Arguments of ``duckdb.connect`` for the statements of others, after :meth:`close`; :data:`CONFINEMENT` follows."""
        return {"read_only": True, "config": self._config}

    def add_split(self, split: str) -> None:
        """Makes the empty table of a split.

        Args:
            split: its name.
        """
        self.columns[split], self.counts[split] = [], 0
        texts = ", ".join(f"{name} VARCHAR" for name in ("file", "source", "target", "identity", "fault"))
        self.connection.execute(f"CREATE TABLE {rows_table(split)} (position BIGINT, line BIGINT, {texts})")

    def column(self, split: str, name: str) -> str:
        """The column of a split's table that holds one of the corpus's other columns; it is added where it is missing.

        Args:
            split: its name.
            name: the column's name in the corpus.
        """
        names = self.columns[split]
        if name not in names:
            self.connection.execute(f"ALTER TABLE {rows_table(split)} ADD COLUMN column_{len(names)} VARCHAR")
            names.append(name)
        return f"column_{names.index(name)}"

    def append(self, split: str, columns: dict[str, Any]) -> None:
        """Adds rows to a split.

        Args:
            split: its name.
            columns: Arrow arrays of one length by column of the table, without ``position``.
        """
        import numpy
        import pyarrow

        start, rows = self.counts[split], len(columns["line"])
        positions = pyarrow.array(numpy.arange(start, start + rows))
        names = ", ".join(("position", *columns))
        self.connection.register("batch", pyarrow.table({"position": positions, **columns}))
        self.connection.execute(f"INSERT INTO {rows_table(split)} ({names}) SELECT {names} FROM batch")
        self.connection.unregister("batch")
        self.counts[split] += rows

    @contextmanager
    def undo_unless_kept(self, split: str) -> Iterator[list[bool]]:
        """A transaction: the rows that were added to a split are removed unless the block appends True to the list.

        Args:
            split: its name.
        """
        count, columns, kept = self.counts[split], list(self.columns[split]), list[bool]()
        self.connection.begin()
        try:
            yield kept
        finally:
            if kept:
                self.connection.commit()
            else:
                self.connection.rollback()
                self.counts[split], self.columns[split] = count, columns

    def fetch(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query's result.

        Args:
            statement: SQL.
            values: of its parameters.
        """
        return self.connection.execute(statement, list(values)).fetchall()

    def leave_the_outside(self) -> None:
        """From now on no statement reads files or reaches the network: others' conditions come next."""
        self.connection.execute(CONFINEMENT[0])

    def close(self) -> None:
        """Closes the connection that writes, so that the file can be opened for reading."""
        self.connection.close()


def rows_table(split: str) -> str:
    """The table of a split's rows, for SQL."""
    return identifier(f"rows.{view_name(split)}")


def view_name(split: str) -> str:
    """The name of a split's view, without quotation marks; SQL takes capitals and small letters for the same.

    Args:
        split: such as ``train`` or ``monolingual.en``, whose view is ``monolingual_en``.
    """
    return "".join(f"^{letter.lower()}" if letter.isupper() else letter for letter in split).replace(".", "_")


def identifier(name: str) -> str:
    """A name in SQL's quotation marks."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def open_row_store(folder: Path, memory_limit: str) -> Iterator[RowStore]:
    """An empty store in a folder of its own, which is removed at the end. What killed processes left is removed too.

    Args:
        folder: holds the folders of all processes.
        memory_limit: of DuckDB's buffers, such as ``2 GB``.

    Raises:
        UserError: the disk is full.
    """
    import duckdb

    with ExitStack() as stack:
        with wait_for_lock(folder / LOCK):
            _remove_abandoned(folder)
            own = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=folder))
            stack.enter_context(hold_lock(own / LOCK, _Busy))
        stack.callback(shutil.rmtree, own, ignore_errors=True)
        store = RowStore(own, memory_limit)
        stack.callback(store.close)
        try:
            yield store
        except duckdb.OutOfMemoryException as error:
            raise UserError(
                f"runtime.memory_limit: {memory_limit} is too little for this corpus, or the disk is full: "
                f"{str(error).splitlines()[0]}"
            ) from None


def _remove_abandoned(folder: Path) -> None:
    """Removes the folders whose process has ended."""
    for other in folder.iterdir():
        if not other.is_dir():
            continue
        try:
            with hold_lock(other / LOCK, _Busy):
                shutil.rmtree(other, ignore_errors=True)
        except _Busy:
            continue
