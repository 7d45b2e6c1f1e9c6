"""One pass over the raw corpus: its rows in the database, its files' faults, and the verdicts of the contracts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import Progress, progress
from seq2seq_core.corpus.contracts import Contract, contracts_of, own_contracts_of, state_own_contract
from seq2seq_core.corpus.expectations.check_result import FILES
from seq2seq_core.corpus.language_identification import check_languages
from seq2seq_core.corpus.monolingual import open_monolingual
from seq2seq_core.corpus.named_files.source_files import open_source_files
from seq2seq_core.corpus.reading import CorpusEntry, SplitReader, find_head_faults
from seq2seq_core.corpus.rows.contract_views import create_file_view, create_view
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.corpus.rows.side_languages import side_languages
from seq2seq_core.corpus.rows.split_loading import SplitLoader
from seq2seq_core.corpus.rows.verdicts import Verdicts
from seq2seq_core.errors import CorpusError

READABLE = Contract("readable", FILES, "error", 0.0, "files that cannot be read as pairs in UTF-8: none")
SET_ASIDE = Contract("set_aside", FILES, "warning", 0.0, "files with lines that cannot be read and are set aside: none")


@dataclass
class Inspection:
    """The findings of one pass over the corpus.

    Attributes:
        rows: the number of rows of each readable split.
        set_aside: the number of lines of each readable split that are set aside.
        files: of each file the name and the faults; the lines that are set aside have faults too.
        unreadable: the names of the files that cannot be read.
        file_names: the file names of each split.
        file_digests: where a side names recordings or pictures, a digest of those of each split.
        file_noun: what these are; empty: both sides are texts.
        contracts: the contracts of each readable split.
        columns: the columns of data of each readable split.
    """

    rows: dict[str, int] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    files: list[tuple[str, list[CorpusError]]] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    file_names: dict[str, list[str]] = field(default_factory=dict)
    file_digests: dict[str, str] = field(default_factory=dict)
    file_noun: str = ""
    contracts: dict[str, list[Contract]] = field(default_factory=dict)
    columns: dict[str, list[str]] = field(default_factory=dict)

    @property
    def file_contracts(self) -> list[Contract]:
        """The contracts on the files themselves."""
        return [READABLE, SET_ASIDE] if any(self.set_aside.values()) else [READABLE]


def open_readers(settings: Settings, paths: Paths) -> list[SplitReader]:
    """A reader for each split that has files, and for the sentences of each language.

    Args:
        settings: the section ``corpus``.
        paths: the workspace.

    Raises:
        CorpusError: the corpus folder or a file is missing.
    """
    readers = [reader for split in SPLITS if (reader := SplitReader(settings.corpus, paths.root, split)).entries]
    return [*readers, *open_monolingual(settings.corpus, paths.root)]


def load_corpus(settings: Settings, paths: Paths, readers: list[SplitReader], store: RowStore, num_faults: int) -> Inspection:
    """Reads every split once, into the store.

    Args:
        settings: the sections ``corpus`` and ``runtime``.
        paths: the workspace.
        readers: of :func:`open_readers`.
        store: receives the rows.
        num_faults: number of the faults of each file that are told in full.
    """
    files = open_source_files(settings.corpus, paths.root)
    inspection = Inspection(file_noun=files.noun if files else "")
    total = sum(reader.total_bytes for reader in readers)
    with progress("validate", total / 1e6, "MB", settings.runtime.progress) as bar:
        done = 0
        for reader in readers:
            loader = SplitLoader(store, reader, files, _reporter(bar, reader, done), num_faults)
            faults = [(entry.name, _load_entry(loader, entry)) for entry in reader.entries]
            done += reader.total_bytes
            inspection.files += [(name, found or loader.set_aside.get(name, [])) for name, found in faults]
            inspection.unreadable |= {name for name, found in faults if found}
            inspection.file_names[reader.split] = [file.name for entry in reader.entries for file in entry.files]
            if not any(found for _, found in faults):
                inspection.rows[reader.split] = store.counts[reader.split]
                inspection.set_aside[reader.split] = loader.num_set_aside
            if files is not None:
                inspection.file_digests[reader.split] = loader.writer.files_hash.hexdigest()
        bar.update(total / 1e6)
    return inspection


def _load_entry(loader: SplitLoader, entry: CorpusEntry) -> list[CorpusError]:
    """Reads an entry to its end; returns its faults, those of all lines."""
    return find_head_faults(entry) or loader.load(entry)


def _reporter(bar: Progress, reader: SplitReader, done: int) -> Callable[[], None]:
    # Files are read in blocks: all bytes are read before the last rows come, but only the end may report the total.
    return lambda: bar.update((done + reader.bytes_read - 1) / 1e6)


def judge_corpus(settings: Settings, store: RowStore, inspection: Inspection) -> Verdicts:
    """Finds the rows that break contracts, and makes the views on which they are counted.

    Args:
        settings: the sections ``corpus`` and ``validate``.
        store: the rows.
        inspection: of :func:`load_corpus`; receives contracts and columns.

    Raises:
        UserError: a user's contract is no valid condition on the columns, or a language cannot be told.
    """
    section, corpus = settings.validate_, settings.corpus
    check_languages("corpus.languages", corpus.languages)
    create_file_view(store, FILES, [contract.name for contract in (READABLE, SET_ASIDE)], _file_rows(inspection))
    verdicts = Verdicts(store, section, corpus.input_columns)
    if corpus.monolingual:
        for evaluated in (split for split in ("dev", "test") if split in store.counts):
            verdicts.guard_texts(evaluated)
    for split in inspection.rows:
        languages = side_languages(store, split, corpus.languages, corpus.text_sides)
        contracts = contracts_of(section, split, inspection.file_noun, inspection.rows, bool(languages))
        verdicts.judge(split, contracts, languages)
        own = own_contracts_of(section, split)
        inspection.columns[split] = create_view(store, verdicts, split, contracts, [one for one in own if one.where])
        inspection.contracts[split] = contracts + [state_own_contract(contract, split) for contract in own]
    return verdicts


def _file_rows(inspection: Inspection) -> list[tuple[str, ...]]:
    """Of each file the name, and its faults as one text: those that make it unreadable, and those of lines that are set aside."""
    told = [(name, "\n".join(map(str, faults))) for name, faults in inspection.files]
    return [(name, text, "") if name in inspection.unreadable else (name, "", text) for name, text in told]
