"""Rows of Parquet files. The only module that imports pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.formats import Row, Table, find_columns
from seq2seq_core.corpus.lines import CorpusFile
from seq2seq_core.errors import UserError, first_line, library_errors

PARQUET_BATCH_ROWS = 4096


def read_parquet(corpus: CorpusSection, file: CorpusFile) -> Iterator[Row]:
    """The rows of a Parquet file, read in batches.

    Args:
        corpus: names the columns.
        file: the Parquet file.

    Raises:
        CorpusError: it is not a Parquet file, is damaged, a column is missing or has no text, or a source or target is null.
        UserError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise UserError(f"{file.shown}: reading Parquet needs pyarrow, which is not installed; run: pip install pyarrow") from None
    with ExitStack() as stack:
        with _parquet_faults(file):
            parquet = stack.enter_context(pyarrow.parquet.ParquetFile(file.path))
            schema, batches = parquet.schema_arrow, parquet.iter_batches(batch_size=PARQUET_BATCH_ROWS)
            names = list(schema.names)
        table = find_columns(corpus, file, names)
        _check_text_columns(corpus, file, schema)
        line = 0
        while (columns := _next_columns(file, batches, line)) is not None:
            for cells in zip(*columns, strict=True):
                line += 1
                _check_not_null(corpus, table, cells, line)
                yield table.row([_as_cell(value) for value in cells], line)


def _parquet_faults(file: CorpusFile, line: int | None = None) -> AbstractContextManager[None]:
    """Turns every error of pyarrow into one about the file, and the row before it."""
    place = "" if line is None else f" beyond row {line}"
    return library_errors(lambda error: file.fault(f"not a Parquet file that can be read{place} ({first_line(error)})"))


def _next_columns(file: CorpusFile, batches: Iterator[Any], line: int) -> list[list[object]] | None:
    """The columns of the next rows; None at the end."""
    with _parquet_faults(file, line):
        batch = next(batches, None)
        return None if batch is None else [column.to_pylist() for column in batch.columns]


def _check_text_columns(corpus: CorpusSection, file: CorpusFile, schema: Any) -> None:
    import pyarrow.types

    for name in (corpus.source_column, corpus.target_column):
        kind = schema.field(name).type
        if pyarrow.types.is_dictionary(kind):
            kind = kind.value_type
        if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind) or pyarrow.types.is_string_view(kind)):
            raise file.fault(f"expected text in the column {name!r}, got {kind}")


def _check_not_null(corpus: CorpusSection, table: Table, cells: Sequence[object], line: int) -> None:
    for name, position in ((corpus.source_column, table.source), (corpus.target_column, table.target)):
        if cells[position] is None:
            raise table.file.fault(f"expected a text in {name!r}, got null", line)


def _as_cell(value: object) -> str:
    return "" if value is None else str(value)
