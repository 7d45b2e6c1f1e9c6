"""A quick check of settings against the corpus: its files are there, columns exist, and rows can be read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from seq2seq_core.artifacts import SPLITS
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.file_faults.broken_lines import BrokenLines
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.monolingual import open_monolingual
from seq2seq_core.corpus.reading import CorpusEntry, SplitReader, find_head_faults
from seq2seq_core.errors import UserError


def has_corpus(settings: Settings, root: Path) -> bool:
    """Whether the corpus folder is there.

    Args:
        settings: reads ``corpus.path``.
        root: the workspace; a relative path starts here.
    """
    return (root / settings.corpus.path).is_dir()


def check_corpus(settings: Settings, root: Path, most_rows: int = 1) -> dict[str, int]:
    """The number of rows read of each split that has files; all are read by the settings.

    Args:
        settings: the settings to check.
        root: the workspace; a relative corpus path starts here.
        most_rows: rows that are read of each file; of JSON lines more, as long as no row has a column that some row must have.

    Raises:
        UserError: files or columns are missing, or a row cannot be read; lists every fault.
    """
    faults: list[str] = []
    counts: dict[str, int] = {}
    readers: list[SplitReader] = []
    for split in SPLITS:
        try:
            readers.append(SplitReader(settings.corpus, root, split))
        except UserError as error:
            faults.append(str(error))
    try:
        readers += open_monolingual(settings.corpus, root)
    except UserError as error:
        faults.append(str(error))
    for reader in readers:
        if reader.entries:
            counts[reader.split] = _check_split(settings, reader, most_rows, faults)
    if faults:
        listed = "".join(f"\n  {fault}" for fault in dict.fromkeys(faults))
        raise UserError(f"the corpus {settings.corpus.path} does not fit the settings:{listed}")
    return counts


def _check_split(settings: Settings, reader: SplitReader, most_rows: int, faults: list[str]) -> int:
    """The number of rows read of a split; its faults are added to the others."""
    of_each_row, of_some_row = _needed_columns(settings, reader.split)
    missing, seen, num_rows = dict(of_some_row), dict[str, None](), 0
    for entry in reader.entries:
        told, broken = set[str](), BrokenLines()
        for row in _first_rows(reader, entry, most_rows, missing, broken):
            num_rows += 1
            seen |= dict.fromkeys(row.columns)
            for name in missing.keys() & row.columns.keys():
                del missing[name]
            gaps = {name: of_each_row[name] for name in of_each_row if name not in row.columns and name not in told}
            faults += _describe_missing(f"{entry.name}:{row.line}", gaps, row.columns)
            told |= gaps.keys()
        if broken.is_cut or not settings.corpus.max_malformed_fraction:
            faults += map(str, broken.faults())
    if num_rows:
        faults += _describe_missing(", ".join(entry.name for entry in reader.entries), missing, seen)
    return num_rows


def _first_rows(
    reader: SplitReader, entry: CorpusEntry, most_rows: int, missing: Collection[str], broken: BrokenLines
) -> Iterator[Row]:
    """The first rows of an entry; while a column is missing, more: in JSON lines, later objects may have it."""
    if head := find_head_faults(entry):
        for fault in head:
            broken(fault)
        return
    for number, row in enumerate(broken.collect(reader.iterate_entry(entry, broken)), start=1):
        yield row
        if number >= most_rows and not (missing and entry.format == "jsonl"):
            return


def _needed_columns(settings: Settings, split: str) -> tuple[dict[str, str], dict[str, str]]:
    """The columns that each row of a split of pairs needs, and those that some row needs, each with the setting that names it."""
    if split not in SPLITS:
        return {}, {}
    tokenize, tested = settings.tokenize, "test" if settings.corpus.files.test else "train"
    of_each_row = {
        "tokenize.group_columns": tokenize.group_columns if split != "test" else [],
        "tokenize.target_tags": tokenize.target_tags,
        "tokenize.source_tags": tokenize.source_tags,
    }
    of_some_row = {
        "evaluate.slice_columns": settings.evaluate.slice_columns if split == tested else [],
        "corpus.input_columns": settings.corpus.input_columns,
    }
    each, some = ({name: key for key, names in needed.items() for name in names} for needed in (of_each_row, of_some_row))
    return each, some


def _describe_missing(where: str, missing: Mapping[str, str], seen: Iterable[str]) -> list[str]:
    there = ", ".join(seen) or "none"
    return [
        f"{where}: no column {name!r} ({setting}); the columns beside source and target are: {there}"
        for name, setting in missing.items()
    ]
