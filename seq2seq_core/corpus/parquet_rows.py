"""Rows of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.bounded_lines import LONGEST_LINE
from seq2seq_core.corpus.file_faults.broken_lines import OnFault, raise_fault
from seq2seq_core.corpus.formats import Row, Table, find_columns
from seq2seq_core.corpus.lines import CorpusFile
from seq2seq_core.corpus.parquet_file import find_fields, open_parquet, parquet_faults, parquet_text
from seq2seq_core.errors import CorpusError

PARQUET_BATCH_ROWS = 4096


def read_parquet(corpus: CorpusSection, file: CorpusFile, on_fault: OnFault = raise_fault) -> Iterator[Row]:
    """The rows of a Parquet file, read in batches.

    Args:
        corpus: names the columns; ``a.b`` is the field ``b`` of the structure in ``a``.
        file: the Parquet file.
        on_fault: receives the fault of a row.

    Raises:
        CorpusError: it is not a Parquet file, is damaged, a column is missing or has no text, or a source or target is null
            or very long.
        UserError: pyarrow is not installed.
    """
    with open_parquet(file) as parquet:
        with parquet_faults(file):
            names, fields = (
                parquet.schema_arrow.names,
                find_fields(parquet.schema_arrow, (corpus.source_column, corpus.target_column)),
            )
            batches = parquet.iter_batches(batch_size=PARQUET_BATCH_ROWS)
        table = find_columns(corpus, file, list(fields) if len(set(names)) == len(names) else names)
        for name in (corpus.source_column, corpus.target_column):
            check_text_column(file, name, fields[name].type)
        line = 0
        while True:
            with parquet_faults(file, line):
                batch = next(batches, None)
                columns = [] if batch is None else [field.values(batch) for field in fields.values()]
            if batch is None:
                return
            for cells in zip(*columns, strict=True):
                line += 1
                try:
                    _check_texts(corpus, table, cells, line)
                    row = table.row([parquet_text(value) for value in cells], line)
                except CorpusError as error:
                    on_fault(error)
                    continue
                yield row


def check_text_column(file: CorpusFile, name: str, kind: Any) -> None:
    """Checks that a column holds texts.

    Args:
        file: names the file in errors.
        name: of the column.
        kind: its Arrow type.

    Raises:
        CorpusError: it holds something else.
    """
    import pyarrow.types

    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind) or pyarrow.types.is_string_view(kind)):
        raise file.fault(f"expected text in the column {name!r}, got {kind}")


def _check_texts(corpus: CorpusSection, table: Table, cells: Sequence[object], line: int) -> None:
    for name, position in ((corpus.source_column, table.source), (corpus.target_column, table.target)):
        cell = cells[position]
        if cell is None:
            raise table.file.fault(f"expected a text in {name!r}, got null", line)
        if isinstance(cell, str) and len(cell) > LONGEST_LINE:
            raise table.file.fault(f"expected at most {LONGEST_LINE:,} characters in {name!r}, got {len(cell):,}", line)
