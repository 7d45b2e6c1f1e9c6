"""Rows and their verdicts for tests: splits given as lists, judged and seen as validate does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb

from seq2seq_core.config.validate import ValidateSection
from seq2seq_core.corpus.contracts import contracts_of, own_contracts_of
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.rows.contract_views import create_view
from seq2seq_core.corpus.rows.row_store import CONFINEMENT, RowStore, view_name
from seq2seq_core.corpus.rows.row_writer import RowWriter
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.corpus.rows.verdicts import Verdicts


def pairs(*texts: tuple[str, str], file: str = "c.tsv") -> list[Row]:
    """Rows of a file, from line 2 on."""
    return [Row(source, target, {}, file, line) for line, (source, target) in enumerate(texts, start=2)]


def judged(
    stack: ExitStack, folder: Path, splits: Mapping[str, Sequence[Row]], section: ValidateSection, inputs: Sequence[str] = ()
) -> RowStore:
    """A store with the views of some splits."""
    store = stack.enter_context(open_row_store(folder, "256 MB"))
    for split, rows in splits.items():
        RowWriter(store, split).add(list(rows))
    verdicts = Verdicts(store, section, inputs)
    for split in splits:
        contracts = contracts_of(section, split, readable=splits)
        verdicts.judge(split, contracts)
        create_view(store, verdicts, split, contracts, own_contracts_of(section, split))
    return store


def read(store: RowStore, statement: str) -> list[tuple[Any, ...]]:
    """The result of a statement, on a connection like that of Great Expectations."""
    store.close()
    with duckdb.connect(store.address.removeprefix("duckdb:///"), **store.reading) as connection:
        for confinement in CONFINEMENT:
            connection.execute(confinement)
        return connection.execute(statement).fetchall()


def find_breaches(
    folder: Path, splits: Mapping[str, Sequence[Row]], inputs: Sequence[str] = (), **settings: object
) -> dict[str, dict[int, str]]:
    """By broken contract of the last split: the positions of the rows that break it, with the messages."""
    section, split = ValidateSection.model_validate(settings), list(splits)[-1]
    with ExitStack() as stack:
        store = judged(stack, folder, splits, section, inputs)
        names = [contract.name for contract in contracts_of(section, split, readable=splits) if not contract.bounds_row_count]
        names += [contract.name for contract in own_contracts_of(section, split)]
        columns = ", ".join(f'"{name}"' for name in names)
        rows = read(store, f"SELECT {columns} FROM {view_name(split)}")
    found = {name: {place: row[i] for place, row in enumerate(rows) if row[i] is not None} for i, name in enumerate(names)}
    return {name: messages for name, messages in found.items() if messages}
