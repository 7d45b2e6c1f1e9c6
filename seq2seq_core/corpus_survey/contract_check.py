"""A quick check of the users' contracts: on the first rows of the corpus, or without it their SQL and names alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from seq2seq_core.artifacts import SPLITS
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.validate import UserContract
from seq2seq_core.corpus.contracts import own_contracts_of, state_own_contract
from seq2seq_core.corpus.expectations.expectation_checker import ExpectationChecker
from seq2seq_core.corpus.expectations.named_expectations import COLUMN_ARGUMENTS, build_expectation
from seq2seq_core.corpus.file_faults.broken_lines import BrokenLines
from seq2seq_core.corpus.language_identification import check_languages
from seq2seq_core.corpus.monolingual import open_monolingual
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.corpus.rows.contract_views import PAIR_COLUMNS, check_condition, create_view, parse_condition, try_condition
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.corpus.rows.row_writer import RowWriter
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.corpus.rows.verdicts import Verdicts
from seq2seq_core.errors import UserError

SAMPLED_ROWS, SAMPLED_OBJECTS = 20, 2000
"""First rows of each file that are looked at; of JSON lines more, because later objects may have other columns."""
MOST_SECONDS = 10.0
"""Time for a condition on these rows."""


def check_contracts(settings: Settings, root: Path, has_corpus: bool) -> int:
    """The number of the users' contracts, which are all right as far as the first rows tell.

    Args:
        settings: the sections ``corpus`` and ``validate``.
        root: the workspace; a relative corpus path starts here.
        has_corpus: whether the corpus is there and can be read. Without it, columns and arguments' values are not checked.

    Raises:
        UserError: some contract is wrong; lists the first fault of each. Or a language of the sides cannot be told.
    """
    check_languages("corpus.languages", settings.corpus.languages)
    check_languages("prepare.drop_other_languages", settings.prepare.drop_other_languages)
    contracts, faults = settings.validate_.contracts, dict[str, str]()
    if contracts:
        for title, fault in _find_on_rows(settings, root) if has_corpus else _find_alone(contracts):
            faults.setdefault(title, fault)
    if faults:
        raise UserError("\n  ".join([f"{len(faults)} of {len(contracts)} contracts of your own are wrong:", *faults.values()]))
    return len(contracts)


def _find_alone(contracts: list[UserContract]) -> Iterator[tuple[str, str]]:
    """The faults of contracts that show without rows, by the titles."""
    for contract in contracts:
        named = [contract.arguments.get(name, ()) for name in COLUMN_ARGUMENTS]
        columns = [column for value in named for column in ([value] if isinstance(value, str) else value)]
        try:
            if contract.where:
                parse_condition(contract)
            else:
                build_expectation(contract, list(dict.fromkeys((*PAIR_COLUMNS, *map(str, columns)))), {})
        except UserError as error:
            yield contract.title, str(error)


def _find_on_rows(settings: Settings, root: Path) -> Iterator[tuple[str, str]]:
    """The faults of contracts on the first rows of each split, by the titles."""
    readers = [SplitReader(settings.corpus, root, split) for split in SPLITS] + list(open_monolingual(settings.corpus, root))
    with tempfile.TemporaryDirectory() as folder, open_row_store(Path(folder), settings.runtime.memory_limit) as store:
        splits = [reader.split for reader in readers if reader.entries]
        for reader in (reader for reader in readers if reader.entries):
            _load_first_rows(store, reader)
        verdicts, columns, named = Verdicts(store, settings.validate_), dict[str, list[str]](), dict[str, list[UserContract]]()
        for split in splits:
            own = own_contracts_of(settings.validate_, split)
            for contract in (one for one in own if one.where):
                try:
                    check_condition(store, contract, split)
                    try_condition(store, contract, split, MOST_SECONDS)
                except UserError as error:
                    yield contract.title, str(error)
            columns[split] = create_view(store, verdicts, split, [])
            named[split] = [one for one in own if one.expectation]
        store.close()
        if any(named.values()):
            yield from _find_by_library(store, Path(folder) / "docs", named, columns)


def _load_first_rows(store: RowStore, reader: SplitReader) -> None:
    writer = RowWriter(store, reader.split)
    for entry in reader.entries:
        broken = BrokenLines()
        rows = broken.set_aside(broken.collect(reader.iterate_entry(entry, broken)))
        writer.add(list(islice(rows, SAMPLED_OBJECTS if entry.format == "jsonl" else SAMPLED_ROWS)))


def _find_by_library(
    store: RowStore, docs: Path, named: dict[str, list[UserContract]], columns: dict[str, list[str]]
) -> Iterator[tuple[str, str]]:
    """The faults of expectations that users name; where all can be built, the first that cannot be checked."""
    is_built = True
    for split, own in named.items():
        for contract in own:
            try:
                build_expectation(contract, columns[split], {})
            except UserError as error:
                is_built = False
                yield contract.title, str(error)
    if not is_built:
        return
    with closing(ExpectationChecker(store, docs, 1)) as checker:
        for split, own in named.items():
            try:
                stated = [state_own_contract(contract, split) for contract in own]
                checker.check(split, stated, store.counts[split], own, columns[split])
            except UserError as error:
                yield split, str(error)
