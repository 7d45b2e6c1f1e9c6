"""A quick check of settings against the corpus: its files are there, columns exist, and rows can be read."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from seq2seq_core.artifacts import SPLITS
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.monolingual import open_monolingual
from seq2seq_core.corpus.reading import SplitReader, find_head_faults
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
        most_rows: rows that are read of each file.

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
        for entry in reader.entries:
            rows: list[Row] = []
            try:
                if head := find_head_faults(entry):
                    raise head[0]
                rows = list(islice(reader.iterate_entry(entry), most_rows))
            except UserError as error:
                faults.append(str(error))
            counts[reader.split] = counts.get(reader.split, 0) + len(rows)
            if rows and reader.split in SPLITS:
                faults += _missing_columns(settings, reader.split, entry.name, rows[0])
    if faults:
        listed = "".join(f"\n  {fault}" for fault in dict.fromkeys(faults))
        raise UserError(f"the corpus {settings.corpus.path} does not fit the settings:{listed}")
    return counts


def _missing_columns(settings: Settings, split: str, name: str, row: Row) -> list[str]:
    """The columns that settings name and a file of pairs lacks."""
    tokenize, test = settings.tokenize, "test" if settings.corpus.files.test else ""
    wanted = {
        "corpus.input_columns": settings.corpus.input_columns,
        "tokenize.source_tags": tokenize.source_tags,
        "tokenize.target_tags": tokenize.target_tags,
        "tokenize.group_columns": tokenize.group_columns if split != "test" else [],
        "evaluate.slice_columns": settings.evaluate.slice_columns if split == (test or "train") else [],
    }
    there = ", ".join(row.columns) or "none"
    return [
        f"{name}: no column {column!r} ({setting}); the columns beside source and target are: {there}"
        for setting, columns in wanted.items()
        for column in columns
        if column not in row.columns
    ]
