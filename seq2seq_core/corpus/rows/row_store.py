"""The database of rows: a DuckDB file under a memory limit, which lives as long as one stage runs. DuckDB is imported here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_core.corpus.rows.earlier_rows import TAKEN, KeptFile, KeptRecord
from seq2seq_core.corpus.rows.plain_blocks import EntryEnd
from seq2seq_core.corpus.rows.statement_interrupts import watch_connection

if TYPE_CHECKING:
    from seq2seq_core.corpus.rows.row_parts import RowParts

DATABASE = "rows.duckdb"
KEPT_TABLES = ("rows.", "prepared.", "keys.", "verdicts", "earlier.", "written.")
"""Beginnings of the names of tables that say what rows are by themselves: the next run goes on from them."""
TRANSACTION_ROWS = 500_000
"""Rows that are added at once: those of an open transaction are held in memory, beyond the limit."""
CONFINEMENT = (
    "SET enable_external_access = false",
    # Without these two optimizers, a join keeps its sides, and so rows come in the order of the corpus.
    "SET disabled_optimizers = 'join_order,build_side_probe_side'",
    "SET lock_configuration = true",
)
"""Statements before those of others: they cannot read files, reach the network or change the settings."""


class RowStore:
    """The rows of the splits, a table each; see :func:`~seq2seq_core.corpus.rows.store_opening.open_row_store`.

    Args:
        folder: holds the database and what it spills; the caller removes it.
        memory_limit: of DuckDB's buffers, such as ``2 GB``.

    Attributes:
        connection: reads and writes.
        columns: by split: the names of the corpus's other columns, in the order of ``column_0`` and so on.
        counts: by split: the number of rows.
        known: by split: the number of rows that an earlier run has left; the tables of :data:`KEPT_TABLES` have them.
        ends: by split: where each of its entries that was read in blocks was read to, by its place among them.
        earlier_files: by path: what an earlier run has left beside the database, as it was then.
        files_to_keep: by path: what the next run may go on from, besides the database.
        fault: what a function of Python raised inside a statement; None: nothing.
        macros: the statements that made them.
        functions: of Python that SQL calls, by name: each with the types of its arguments and of its result.
        parts: computes on a cluster what rows are by themselves; None: the database does.
    """

    def __init__(self, folder: Path, memory_limit: str) -> None:
        import duckdb

        self._folder, self._path, self._memory_limit = folder, folder / DATABASE, memory_limit
        self._spill = folder / "spilled"
        self.columns: dict[str, list[str]] = {}
        self.counts: dict[str, int] = {}
        self.fault: Exception | None = None
        self.macros: list[str] = []
        self.functions: dict[str, tuple[Callable[..., object], list[str], str]] = {}
        self.parts: RowParts | None = None
        self._uncommitted: int | None = None
        self.known: dict[str, int] = {}
        self.ends: dict[str, dict[int, EntryEnd]] = {}
        self.earlier_files: dict[Path, KeptFile] = {}
        self.files_to_keep: dict[Path, KeptFile] = {}
        self.connection = duckdb.connect(str(self._path), config=self._config)
        watch_connection(self.connection)

    def go_on(self, record: KeptRecord) -> None:
        """Goes on from the rows of an earlier run, whose database this one is. What is made of other rows is removed.

        Args:
            record: of the database.
        """
        for name, split in record.splits.items():
            self.columns[name], self.counts[name], self.known[name] = list(split.columns), split.rows, split.rows
            self.ends[name] = {place: entry.end for place, entry in enumerate(split.entries)}
        self.earlier_files = {self._folder / TAKEN / name: file for name, file in record.files.items()}
        made = self.fetch(
            "SELECT 'VIEW', view_name FROM duckdb_views() WHERE NOT internal UNION ALL "
            "SELECT DISTINCT 'MACRO', function_name FROM duckdb_functions() WHERE NOT internal UNION ALL "
            "SELECT 'TABLE', table_name FROM duckdb_tables() WHERE NOT internal "
            "ORDER BY 1 DESC"
        )
        for kind, name in made:
            if not name.startswith(KEPT_TABLES):
                self.connection.execute(f"DROP {kind} {identifier(name)}")

    def splits(self) -> dict[str, tuple[int, list[str], dict[int, EntryEnd]]]:
        """By split: the number of rows, the corpus's other columns, and where its entries were read to."""
        return {split: (rows, self.columns[split], self.ends[split]) for split, rows in self.counts.items()}

    def define_macros(self, statement: str) -> None:
        """Makes macros, which workers of a cluster make too.

        Args:
            statement: SQL.
        """
        self.macros.append(statement)
        self.connection.execute(statement)

    def rows_from(self, split: str, first: int) -> str:
        """A query of the rows of a split from some position on, for SQL."""
        return f"(SELECT * FROM {rows_table(split)} WHERE position >= {first})" if first else rows_table(split)

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
        if split in self.known:
            return
        self.columns[split], self.counts[split], self.ends[split] = [], 0, {}
        texts = ", ".join(f"{name} VARCHAR" for name in ("file", "source", "target", "identity", "fault", "layout"))
        self.connection.execute(f"CREATE TABLE {rows_table(split)} (position BIGINT, line BIGINT, seconds DOUBLE, {texts})")

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
        if self._uncommitted is not None:
            self._uncommitted += rows
            if self._uncommitted >= TRANSACTION_ROWS:
                self.connection.commit()
                self.connection.begin()
                self._uncommitted = 0

    def layout(self, split: str, names: Sequence[str]) -> str | None:
        """What the column ``layout`` holds of a row.

        Args:
            split: its name.
            names: the row's other columns, in its own order; all are columns of the table.
        """
        places = [self.columns[split].index(name) for name in names]
        return None if places == sorted(places) else json.dumps(list(names), ensure_ascii=False)

    @contextmanager
    def undo_unless_kept(self, split: str) -> Iterator[list[bool]]:
        """The rows that are added to a split are removed in the end, unless the block appends True to the list.

        Args:
            split: its name.
        """
        count, columns, kept = self.counts[split], list(self.columns[split]), list[bool]()
        self.connection.begin()
        self._uncommitted = 0
        try:
            yield kept
        finally:
            self._uncommitted = None
            self.connection.commit()
            if not kept:
                self.connection.execute(f"DELETE FROM {rows_table(split)} WHERE position >= {count}")
                for name in self.columns[split][len(columns) :]:
                    self.connection.execute(f"ALTER TABLE {rows_table(split)} DROP COLUMN {self.column(split, name)}")
                self.counts[split], self.columns[split] = count, columns

    def fetch(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query's result.

        Args:
            statement: SQL.
            values: of its parameters.
        """
        return self.connection.execute(statement, list(values)).fetchall()

    def fetch_table(self, statement: str) -> Any:
        """The result of a query as an Arrow table.

        Args:
            statement: SQL.
        """
        return self.connection.sql(statement).to_arrow_table()

    def insert(self, table: str, columns: Mapping[str, Sequence[object]]) -> None:
        """Adds rows to a table.

        Args:
            table: its name, for SQL.
            columns: values by column, of all columns in their order.
        """
        import pyarrow

        self.connection.register("batch", pyarrow.table({name: pyarrow.array(values) for name, values in columns.items()}))
        self.connection.execute(f"INSERT INTO {table} SELECT * FROM batch")
        self.connection.unregister("batch")

    def add_function(self, name: str, function: Callable[..., object], kinds: list[str], result: str) -> None:
        """Makes a function of Python one of SQL, unless one of this name was made before.

        Args:
            name: of the function.
            function: takes the arguments of a row that has none NULL, and never returns None.
            kinds: the types of its one or two arguments.
            result: the type of its result, ``VARCHAR`` or ``BOOLEAN``.
        """
        import pyarrow

        if name in self.functions:
            return
        self.functions[name] = (function, kinds, result)
        kind = {"VARCHAR": pyarrow.string(), "BOOLEAN": pyarrow.bool_()}[result]

        def apply(*columns: Any) -> Any:
            try:
                rows = zip(*(column.to_pylist() for column in columns), strict=True)
                return pyarrow.array([function(*row) for row in rows], kind)
            except Exception as error:
                self.fault = error  # the database makes a text of it
                raise

        # The database counts the parameters.
        counted: dict[int, Callable[..., Any]] = {1: lambda one: apply(one), 2: lambda one, other: apply(one, other)}
        create: Any = self.connection.create_function  # its types differ between versions
        create(name, counted[len(kinds)], kinds, result, type="arrow")

    def leave_the_outside(self) -> None:
        """From now on no statement reads files or reaches the network."""
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
