"""What the rows of a split are by themselves, as tables: computed by the database, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from seq2seq_core.corpus.rows.row_store import RowStore, identifier


def has_table(store: RowStore, name: str) -> bool:
    """Whether there is a table of a name.

    Args:
        store: the database.
        name: of the table.
    """
    return bool(store.fetch("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", (name,)))


def make_table(store: RowStore, name: str, split: str, statement: Callable[[str], str]) -> None:
    """Makes a table of what each row of a split is by itself; one that an earlier run has left gets the new rows alone.

    Args:
        store: the rows.
        name: of the table, one of :data:`KEPT_TABLES`.
        split: its name.
        statement: makes the query of a query of rows.
    """
    is_there = has_table(store, name)
    for found in iterate_results(store, split, statement, store.known.get(split, 0) if is_there else 0):
        head = f"INSERT INTO {identifier(name)}" if is_there else f"CREATE TABLE {identifier(name)} AS"
        store.connection.execute(f"{head} {found}")
        is_there = True


def iterate_results(store: RowStore, split: str, statement: Callable[[str], str], first: int = 0) -> Iterator[str]:
    """Queries whose rows together are what rows of a split are by themselves, in their order.

    Args:
        store: the rows.
        split: its name.
        statement: makes the query of a query of rows.
        first: the position of the first row.
    """
    if store.parts is None or first >= store.counts[split]:
        yield statement(store.rows_from(split, first))
        return
    for table in store.parts.compute(split, statement, first):
        store.connection.register("part", table)
        yield "SELECT * FROM part"
        store.connection.unregister("part")
