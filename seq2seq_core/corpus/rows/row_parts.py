"""What rows are by themselves, computed part by part on a cluster, by the SQL and the functions that the database would use.

A part is a file in Arrow's format. It has the rows of some positions, whatever the format of the corpus is.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from seq2seq_core.cluster.connection import Cluster
from seq2seq_core.cluster.part_files import find_part, read_shared, write_part
from seq2seq_core.corpus.rows.row_store import RowStore, rows_table
from seq2seq_core.reproducibility import digest

PART_ROWS, PART_BYTES = 50_000, 32 << 20
"""Number of the rows of a part, and size of their texts, whichever is less."""
_ROWS, _CHOSEN = "part_rows", "chosen_rows"


class RowParts:
    """Cuts the rows of a store into parts, and has workers compute queries on them.

    Args:
        store: the rows.
        cluster: the workers.
        memory_limit: of the database in which a worker computes a part.
    """

    def __init__(self, store: RowStore, cluster: Cluster, memory_limit: str) -> None:
        self._store, self._cluster, self._memory_limit = store, cluster, memory_limit
        self._names: dict[tuple[str, int, int], str] = {}

    def compute(self, split: str, statement: Callable[[str], str], first: int = 0, chosen: str = "") -> Iterator[Any]:
        """Arrow tables that together are the result of a query on the rows of a split, in their order.

        Args:
            split: its name; all its rows are loaded.
            statement: makes the query of a query of rows.
            first: the position of the first row.
            chosen: a query with the positions of the rows that are asked for; empty: all.
        """
        rows = f"(SELECT r.* FROM {_ROWS} r SEMI JOIN {_CHOSEN} c ON r.position = c.position)" if chosen else _ROWS
        query = statement(rows)
        functions = {name: made for name, made in self._store.functions.items() if self._is_called(name, query)}
        contents = [getattr(getattr(function, "__self__", None), "content", "") for function, _, _ in functions.values()]
        key = [self._cluster.key, query, self._store.macros, list(functions), contents, sorted(self._store.columns.items())]
        setup = self._cluster.share((self._store.macros, functions))
        folder = self._cluster.folder
        tasks = (
            (folder, digest([*key, name, hashlib.sha256(picked).hexdigest()]), setup, query, name, picked, self._memory_limit)
            for name, picked in self._make_parts(split, first, chosen)
        )
        for name in self._cluster.map(compute_part, tasks):
            yield _read_table(folder / name)

    def _is_called(self, name: str, query: str) -> bool:
        return name in query or any(name in macro for macro in self._store.macros)

    def _make_parts(self, split: str, first: int, chosen: str) -> Iterator[tuple[str, bytes]]:
        """The file of each part, and the positions in it that are asked for, packed."""
        store, size = self._store, count_rows(self._store, split, PART_ROWS, PART_BYTES)
        for start in range(first, store.counts[split], size):
            stop = min(start + size, store.counts[split])
            within = f"WHERE position >= {start} AND position < {stop}"
            picked = _pack(store.fetch_table(f"SELECT position FROM ({chosen}) {within}")) if chosen else b""
            if (split, start, stop) not in self._names:
                table = store.fetch_table(f"SELECT * FROM {rows_table(split)} {within} ORDER BY position")
                self._names[split, start, stop] = write_part(self._cluster.folder, partial(_write_table, table), "rows")
            yield self._names[split, start, stop], picked


def count_rows(store: RowStore, split: str, most_rows: int, most_bytes: int, first: int = 0) -> int:
    """How many rows of a split have about so many bytes of text, by the mean size of some rows.

    Args:
        store: the rows.
        split: its name.
        most_rows: the most rows.
        most_bytes: the most bytes.
        first: the position of the first row that counts.
    """
    size = "strlen(source) + coalesce(strlen(target), 0)"
    ((mean,),) = store.fetch(f"SELECT avg({size}) FROM {rows_table(split)} WHERE position >= {first} AND position % 50 = 0")
    return max(1, min(most_rows, int(most_bytes / max(1, mean or 1))))


def compute_part(
    folder: Path,
    key: str,
    setup: str,
    query: str,
    rows: str,
    picked: bytes,
    memory_limit: str,
) -> str:
    """The name of the file with the result of a query on a part of the rows; called on a worker.

    Args:
        folder: shared by all.
        key: digest of all that the result depends on.
        setup: the file of macros and functions.
        query: on the tables of the part and of the positions.
        rows: the file of the part.
        picked: the positions that are asked for, packed.
        memory_limit: of the database.
    """
    import duckdb

    if found := find_part(folder, key):
        return found
    macros, functions = read_shared(folder, setup)
    with tempfile.TemporaryDirectory(prefix="s2s-part-") as room:
        store = RowStore(Path(room), memory_limit)
        try:
            store.connection.execute("SET threads = 1")  # a worker has as many threads as it may compute parts at once
            store.connection.execute("SET arrow_lossless_conversion = true")  # keys have 128 bits
            for name, (function, kinds, result) in functions.items():
                store.add_function(name, function, kinds, result)
            for macro in macros:
                store.define_macros(macro)
            store.connection.register(_ROWS, _read_table(folder / rows))
            store.connection.register(_CHOSEN, _unpack(picked))
            table = store.fetch_table(query)
        except duckdb.Error:
            if store.fault is None:
                raise
            raise store.fault from None
        finally:
            store.close()
    return write_part(folder, lambda draft: _write_table(table, draft), key)


def _pack(positions: Any) -> bytes:
    import zlib

    import numpy

    found = numpy.sort(positions["position"].to_numpy())
    return zlib.compress(numpy.diff(found, prepend=0).astype("<i8").tobytes(), 1)


def _unpack(picked: bytes) -> Any:
    import zlib

    import numpy
    import pyarrow

    steps = numpy.frombuffer(zlib.decompress(picked) if picked else b"", dtype="<i8")
    return pyarrow.table({"position": pyarrow.array(numpy.cumsum(steps), pyarrow.int64())})


def _write_table(table: Any, path: Path) -> None:
    import pyarrow

    options = pyarrow.ipc.IpcWriteOptions(compression="lz4")
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table)


def _read_table(path: Path) -> Any:
    import pyarrow

    with pyarrow.memory_map(str(path)) as file:
        return pyarrow.ipc.open_file(file).read_all()
