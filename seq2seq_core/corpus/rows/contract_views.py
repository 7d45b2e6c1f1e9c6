"""The views that contracts are checked on: a split's rows, with a column for each contract that holds the offenders' messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from seq2seq_core.config.validate import UserContract
from seq2seq_core.corpus.contracts import Contract
from seq2seq_core.corpus.rows.row_store import RowStore, identifier, literal, rows_table, view_name
from seq2seq_core.corpus.rows.verdicts import Verdicts
from seq2seq_core.errors import UserError

BATCH_ROWS = 1000
PAIR_COLUMNS = ("file", "line", "source", "target")
"""The columns of every view, before the corpus's other ones."""
UNNAMED_COLUMN = "unnamed"
"""A column without a name, such as that of row numbers in a table of pandas. SQL has no empty name."""
_OWN_NAMES = ("#", "##")
"""Columns of the statements below: a row's position, and whether a condition holds for it."""
CONDITION_TYPES = (
    "BOOLEAN",
    '"NULL"',
    *(f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")),
    "INTEGER",
    "UINTEGER",
    "FLOAT",
    "DOUBLE",
)
"""Types that a condition may have; numbers other than 0 are true."""


def create_view(
    store: RowStore, verdicts: Verdicts, split: str, contracts: Sequence[Contract], own: Sequence[UserContract] = ()
) -> list[str]:
    """Makes the view of a split; returns its columns of data.

    Args:
        store: the rows.
        verdicts: all verdicts on the split.
        split: its name.
        contracts: the built-in contracts of the split; their columns hold the messages.
        own: the users' contracts of the split by SQL.

    Raises:
        UserError: a contract's SQL is not a valid condition on the columns.
    """
    built_in = [contract.name for contract in contracts if not contract.bounds_row_count]
    data = _data_columns(store, split, built_in)
    _create_messages(store, verdicts, split, built_in)
    places = "".join(f", {_verdict_column(contract)}" for contract in own)
    rows = _select_rows(split, data)
    for contract in own:
        _check(store, contract, split, data)
    messages = "".join(f", m.{identifier(name)}" for name in built_in)
    store.connection.execute(
        f"CREATE VIEW {identifier(view_name(split))} AS SELECT r.* EXCLUDE {identifier('#')}{messages} "
        f"FROM (SELECT *{places} FROM ({rows})) r LEFT JOIN {_messages(split)} m ON r.{identifier('#')} = m.position"
    )
    return list(data)


def iterate_own_offenders(store: RowStore, contract: UserContract, split: str, most: int) -> Iterator[tuple[Any, ...]]:
    """File, line, source and target of the first rows of a split that break a user's contract by SQL.

    Args:
        store: with the views of :func:`create_view`, which has checked the contract.
        contract: with ``where``.
        split: its name.
        most: number of rows.

    Raises:
        UserError: the condition fails on a row.
    """
    import duckdb

    rows = _select_rows(split, _data_columns(store, split))
    shown = ", ".join(PAIR_COLUMNS)
    judged = f"SELECT *, ({contract.where}\n) AS {identifier('##')} FROM ({rows})"
    statement = f"SELECT {shown} FROM ({judged}) WHERE {identifier('##')} ORDER BY {identifier('#')} LIMIT {most}"
    try:
        found = store.connection.execute(statement)
        while batch := found.fetchmany(BATCH_ROWS):
            yield from batch
    except duckdb.Error as error:
        raise UserError(
            f"validate.contracts: {contract.name}: it cannot be checked on the rows of {split}: {_first_line(error)}"
        ) from None


def _select_rows(split: str, data: dict[str, str]) -> str:
    """The rows of a split with the columns of its view, and ``#``, their position."""
    shown = ", ".join(f"{column} AS {identifier(name)}" for name, column in data.items())
    return f"SELECT position AS {identifier('#')}, {shown} FROM {rows_table(split)}"


def create_file_view(store: RowStore, name: str, contracts: Sequence[str], files: Sequence[tuple[str, ...]]) -> None:
    """Makes the table of the files themselves.

    Args:
        store: the database.
        name: of the table.
        contracts: the columns that hold the faults.
        files: of each the name, and its faults by contract; empty: none.
    """
    columns = "".join(f", {identifier(contract)} VARCHAR" for contract in contracts)
    store.connection.execute(f"CREATE TABLE {identifier(name)} (file VARCHAR{columns})")
    for file in files:
        marks = ", ".join("?" for _ in file)
        store.connection.execute(f"INSERT INTO {identifier(name)} VALUES ({marks})", [faults or None for faults in file])


def _data_columns(store: RowStore, split: str, taken: Sequence[str] = ()) -> dict[str, str]:
    """The columns of the view that hold data, with the SQL of each; a name that is taken gets a number (SQL ignores case)."""
    columns = {"file": "file", "line": "line", "source": "source", "target": "coalesce(target, source)"}
    known = {name.lower() for name in (*columns, *taken, *_OWN_NAMES)}
    for place, own in enumerate(store.columns[split]):
        name, column = own.replace("\0", "") or UNNAMED_COLUMN, f"column_{place}"
        shown, number = name, 2
        while shown.lower() in known:
            shown, number = f"{name}_{number}", number + 1
        known.add(shown.lower())
        columns[shown] = column
    return columns


def _create_messages(store: RowStore, verdicts: Verdicts, split: str, contracts: Sequence[str]) -> None:
    """The table of a split's offenders: position, and the message of each contract; of all but the first, the place."""
    import pyarrow

    described = [
        (position, name, message)
        for name in contracts
        for position, _, message in verdicts.offenders(split, name, verdicts.section.examples)
    ]
    kinds = (("position", pyarrow.int64()), ("contract", pyarrow.string()), ("message", pyarrow.string()))
    columns = {name: pyarrow.array([row[place] for row in described], type=kind) for place, (name, kind) in enumerate(kinds)}
    store.connection.register("described", pyarrow.table(columns))
    cells = "".join(f", max(CASE WHEN contract = {literal(name)} THEN message END) AS {identifier(name)}" for name in contracts)
    store.connection.execute(
        f"CREATE TABLE {_messages(split)} AS SELECT position{cells} FROM "
        f"(SELECT v.position, v.contract, coalesce(d.message, r.file || ':' || r.line) AS message FROM verdicts v "
        f"JOIN {rows_table(split)} r ON r.position = v.position "
        f"LEFT JOIN described d ON d.position = v.position AND d.contract = v.contract WHERE v.split = {literal(split)}) "
        "GROUP BY position"
    )
    store.connection.unregister("described")


def _messages(split: str) -> str:
    return identifier(f"messages.{view_name(split)}")


def _verdict_column(contract: UserContract) -> str:
    """A column with the place and the texts of each row that a condition holds for."""
    texts = "CASE WHEN source = target THEN shown(source) ELSE shown(source) || ' → ' || shown(target) END"
    message = f"file || ':' || line || ': ' || {texts}"
    return f"CASE WHEN ({contract.where}\n) THEN {message} END AS {identifier(contract.name)}"


def check_condition(store: RowStore, contract: UserContract, split: str) -> None:
    """Checks that the condition of a user's contract is valid on the columns of a split; no row is read.

    Args:
        store: the rows; from now on no statement of its connection reaches the outside.
        contract: with ``where``.
        split: its name.

    Raises:
        UserError: it is not.
    """
    data = _data_columns(store, split)
    _check(store, contract, split, data)


def parse_condition(contract: UserContract) -> None:
    """Checks that the condition of a user's contract is one expression of SQL, whatever the columns.

    Args:
        contract: with ``where``.

    Raises:
        UserError: a whole statement, several expressions, or no SQL.
    """
    import duckdb

    try:
        duckdb.SQLExpression(contract.where)
    except duckdb.Error as error:
        raise UserError(f"validate.contracts: {contract.name}: the condition is no valid SQL: {_first_line(error)}") from None


def try_condition(store: RowStore, contract: UserContract, split: str, seconds: float) -> None:
    """Tries the condition of a user's contract on all rows of a split, within a time.

    Args:
        store: the rows, which are few.
        contract: with ``where``, which :func:`check_condition` found valid.
        split: its name.
        seconds: until it is given up.

    Raises:
        UserError: it fails on a row, or takes longer.
    """
    import duckdb

    timer = threading.Timer(seconds, store.connection.interrupt)
    timer.start()
    try:
        next(iterate_own_offenders(store, contract, split, 1), None)
    except UserError as error:
        if isinstance(error.__context__, duckdb.InterruptException):
            message = f"the condition takes more than {seconds:g} s on the first rows of {split}; expected one that is quick"
            raise UserError(f"validate.contracts: {contract.name}: {message}") from None
        raise
    finally:
        timer.cancel()


def _check(store: RowStore, contract: UserContract, split: str, data: dict[str, str]) -> None:
    import duckdb

    fault, told = f"validate.contracts: {contract.name}: ", f"the columns are {', '.join(data)}"
    if contract.name.lower() in map(str.lower, store.columns[split]):
        raise UserError(f"{fault}the rows of {split} have a column of this name; expected another name; {told}")
    try:
        duckdb.SQLExpression(contract.where)  # a whole statement, or several expressions, are none
        store.leave_the_outside()
        rows = _select_rows(split, data)
        store.connection.execute(f"SELECT {_verdict_column(contract)} FROM ({rows}) LIMIT 0")
        described = store.connection.execute(f"SELECT ({contract.where}\n) FROM ({rows}) LIMIT 0").description
    except duckdb.Error as error:
        raise UserError(f"{fault}the condition is no valid SQL on the rows of {split}: {_first_line(error)}; {told}") from None
    kind = str(described[0][1])
    if kind not in CONDITION_TYPES and not kind.startswith("DECIMAL"):
        raise UserError(f"{fault}the condition must be true or false, got {kind} on the rows of {split}; {told}")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
