"""Opening of the database of rows, in a folder that no other process uses."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from seq2seq_core.cluster.connection import Cluster
from seq2seq_core.corpus.rows.earlier_rows import KeptRows
from seq2seq_core.corpus.rows.row_parts import RowParts
from seq2seq_core.corpus.rows.row_store import DATABASE, RowStore
from seq2seq_core.corpus.rows.statement_interrupts import ends_on_signals
from seq2seq_core.errors import UserError
from seq2seq_core.file_lock import hold_lock, wait_for_lock

LOCK = "lock"


class _Busy(Exception):
    """Another process uses a folder."""


@contextmanager
def open_row_store(
    folder: Path, memory_limit: str, kept: KeptRows | None = None, cluster: Cluster | None = None
) -> Iterator[RowStore]:
    """A store in a folder of its own, which is removed at the end. What killed processes left is removed too.

    Args:
        folder: holds the folders of all processes.
        memory_limit: of DuckDB's buffers, such as ``2 GB``.
        kept: the database of an earlier run, which the store goes on from if it can, and which is replaced where the block ends
            well; None: the store is empty, and nothing is kept.
        cluster: computes what rows are by themselves; None: the database does.

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
        record = None if kept is None else kept.claim(own, DATABASE)
        store = RowStore(own, memory_limit)
        store.parts = None if cluster is None else RowParts(store, cluster, memory_limit)
        stack.callback(store.close)
        stack.enter_context(ends_on_signals())
        try:
            if record is not None:
                store.go_on(record)
            yield store
            if kept is not None:
                store.close()
                kept.keep(own, DATABASE, store.splits(), store.files_to_keep)
        except duckdb.OutOfMemoryException as error:
            raise UserError(
                f"runtime.memory_limit: {memory_limit} is too little for this corpus, or the disk is full: "
                f"{str(error).splitlines()[0]}"
            ) from None
        except duckdb.Error:
            if store.fault is None:
                raise
            raise store.fault from None


def _remove_abandoned(folder: Path) -> None:
    """Removes the folders whose process has ended."""
    for other in folder.iterdir():
        if not other.is_dir():
            continue
        try:
            with hold_lock(other / LOCK, _Busy):
                shutil.rmtree(other, ignore_errors=True)
        except (_Busy, FileNotFoundError):  # its process works, or has just removed it
            continue
