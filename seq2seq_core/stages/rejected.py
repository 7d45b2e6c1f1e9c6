"""The rows that break contracts, one by one, with file and line: the corpus is read and judged again, and nothing is kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.validate import ValidateSection
from seq2seq_core.corpus.contracts import Contract, own_contracts_of
from seq2seq_core.corpus.file_faults.broken_lines import MOST_BROKEN
from seq2seq_core.corpus.rows.contract_views import iterate_own_offenders
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.corpus.rows.verdicts import Verdicts
from seq2seq_core.errors import CorpusError, UserError
from seq2seq_core.stages.inspection import READABLE, SET_ASIDE, Inspection, judge_corpus, load_corpus, open_readers

BATCH_ROWS = 1000
FILE_CONTRACTS = (READABLE.name, SET_ASIDE.name)


@dataclass(frozen=True)
class RejectedRow:
    """A row that breaks a contract, or a line that cannot be read.

    Attributes:
        contract: name of the contract.
        split: such as ``train``; empty for a line that cannot be read.
        file: name of the file.
        line: its number there; 0: the whole file.
        source: its source; empty where it cannot be read.
        target: its target.
        reason: what is wrong, as messages tell it.
    """

    contract: str
    split: str
    file: str
    line: int
    source: str
    target: str
    reason: str


def iterate_rejected(settings: Settings, paths: Paths, contract: str = "", limit: int = 0) -> Iterator[RejectedRow]:
    """The rows that break contracts, by split and contract, in the order of the corpus.

    Args:
        settings: the sections ``corpus`` and ``validate``.
        paths: the workspace; reads the raw corpus, writes nothing.
        contract: the name of the only contract to look at; empty: all.
        limit: the most rows of each contract in each split; 0: all, but of a file that cannot be read the first 10,000 lines.

    Raises:
        UserError: there is no such contract, it is off, or its rows are known to Great Expectations alone.
    """
    _check_name(settings.validate_, contract)
    most = limit or sys.maxsize
    readers = open_readers(settings, paths)
    with open_row_store(paths.rows, settings.runtime.memory_limit) as store:
        inspection = load_corpus(settings, paths, readers, store, min(most, MOST_BROKEN))
        verdicts = judge_corpus(settings, store, inspection)
        known = [one.name for contracts in inspection.contracts.values() for one in contracts if not one.bounds_row_count]
        names = dict.fromkeys((*FILE_CONTRACTS, *known))
        if contract and contract not in names:
            raise UserError(f"--contract: must be one that is not off, of {', '.join(names)}; got {contract!r}")
        if contract in ("", *FILE_CONTRACTS):
            yield from _iterate_lines(inspection, contract, most)
        for split, contracts in inspection.contracts.items():
            for one in contracts:
                if contract in ("", one.name) and not one.bounds_row_count:
                    yield from _iterate_contract(settings.validate_, store, verdicts, split, one, most)


def _check_name(section: ValidateSection, contract: str) -> None:
    if any(own.expectation and own.title == contract for own in section.contracts):
        raise UserError(
            f"--contract: must not be an expectation, whose rows Great Expectations alone knows; got {contract!r}: "
            "Data Docs show its first rows, or write it as where"
        )


def _iterate_lines(inspection: Inspection, contract: str, most: int) -> Iterator[RejectedRow]:
    """The lines that cannot be read."""
    for name, faults in inspection.files:
        broken = READABLE.name if name in inspection.unreadable else SET_ASIDE.name
        told = [fault for fault in faults if fault.line is not None] or faults
        for fault in told[:most] if contract in ("", broken) else ():
            yield RejectedRow(broken, "", str(fault.path), fault.line or 0, "", "", _reason_of(fault))


def _reason_of(fault: CorpusError) -> str:
    """What is wrong, without the place."""
    place = str(fault.path) if fault.line is None else f"{fault.path}:{fault.line}"
    return str(fault).removeprefix(f"{place}: ")


def _iterate_contract(
    section: ValidateSection, store: RowStore, verdicts: Verdicts, split: str, contract: Contract, most: int
) -> Iterator[RejectedRow]:
    if contract.is_own:
        own = next(one for one in own_contracts_of(section, split) if one.title == contract.name)
        for file, line, source, target in iterate_own_offenders(store, own, split, most) if own.where else ():
            yield RejectedRow(contract.name, split, file, line, source, target, own.where.strip())
        return
    position, left = -1, most
    while found := verdicts.offenders(split, contract.name, min(left, BATCH_ROWS), position):
        for position, row, message in found:  # noqa: B007 - the last one is where the next batch begins
            reason = message.removeprefix(f"{row.file}:{row.line}: ")
            yield RejectedRow(contract.name, split, row.file, row.line, row.source, row.target, reason)
        left -= len(found)
        if not left:
            return
