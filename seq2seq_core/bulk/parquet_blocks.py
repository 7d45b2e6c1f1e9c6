"""Rows of Parquet files, in blocks that keep every column as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from seq2seq_core.bulk.input_files import InputFile
from seq2seq_core.bulk.plain_values import plain_values
from seq2seq_core.bulk.row_block import RowBlock, source_row
from seq2seq_core.bulk.text_rows import check_names
from seq2seq_core.corpus.parquet_file import ParquetField, find_fields, open_parquet, parquet_faults
from seq2seq_core.corpus.parquet_rows import PARQUET_BATCH_ROWS, check_text_column


def read_parquet_blocks(source: InputFile, column: str, others: Sequence[str], size: int) -> Iterator[RowBlock]:
    """Blocks of the rows of a Parquet file, each of a number of rows but the last.

    Args:
        source: the file.
        column: the source's column; ``a.b`` is the field ``b`` of the structure in ``a``.
        others: further columns that the model reads, where the file has them.
        size: rows of a block.

    Raises:
        CorpusError: it is not a Parquet file, is damaged, has no such column of texts, or not as many rows as it says.
        UserError: pyarrow is not installed.
    """
    num_rows = 0
    with open_parquet(source.file) as parquet:
        with parquet_faults(source.file):
            schema, expected = parquet.schema_arrow, parquet.metadata.num_rows
            fields = find_fields(schema, [column])
        _check_columns(source, schema.names, fields, column)
        wanted = {name: fields[name] for name in (column, *others) if name in fields}
        for table in _regroup(_batches(source, parquet), size):
            with parquet_faults(source.file):
                block = _block(table, wanted, column, keeps_table=source.output_kind == "parquet")
            num_rows += len(block.rows)
            yield block
    if num_rows != expected:
        raise source.file.fault(f"expected {expected} rows, as the file's metadata say, got {num_rows}")


def _check_columns(source: InputFile, names: Sequence[str], fields: dict[str, ParquetField], column: str) -> None:
    if len(set(names)) < len(names):
        check_names(source.file, names, column)
    check_names(source.file, list(fields), column)
    check_text_column(source.file, column, fields[column].type)


def _batches(source: InputFile, parquet: Any) -> Iterator[Any]:
    """The record batches of an open file."""
    batches, row = parquet.iter_batches(batch_size=PARQUET_BATCH_ROWS), 0
    while True:
        with parquet_faults(source.file, row):
            batch = next(batches, None)
        if batch is None:
            return
        row += batch.num_rows
        yield batch


def _regroup(batches: Iterable[Any], size: int) -> Iterator[Any]:
    """Tables of a number of rows, from batches of any."""
    import pyarrow

    kept: list[Any] = []
    num_rows = 0
    for batch in batches:
        kept.append(batch)
        num_rows += batch.num_rows
        while num_rows >= size:
            table = pyarrow.Table.from_batches(kept)
            yield table.slice(0, size)
            kept, num_rows = table.slice(size).to_batches(), num_rows - size
    if num_rows:
        yield pyarrow.Table.from_batches(kept)


def _block(table: Any, wanted: dict[str, ParquetField], column: str, keeps_table: bool) -> RowBlock:
    """The block of a table; its rows hold all cells only where the table is not kept."""
    if not keeps_table:
        columns = [plain_values(table.column(place)) for place in range(table.num_columns)]
        return RowBlock(
            [source_row(dict(zip(table.column_names, cells, strict=True)), column) for cells in zip(*columns, strict=True)]
        )
    # Batches are not joined: an array of texts holds 2 GiB at most.
    batches = table.to_batches()
    values = [[value for batch in batches for value in field.values(batch)] for field in wanted.values()]
    return RowBlock([source_row(dict(zip(wanted, cells, strict=True)), column) for cells in zip(*values, strict=True)], table)


def parquet_columns(source: InputFile) -> list[str]:
    """The names of the columns of a Parquet file.

    Args:
        source: the file.

    Raises:
        CorpusError: it is not a Parquet file, or is damaged.
    """
    with open_parquet(source.file) as parquet, parquet_faults(source.file):
        return list(parquet.schema_arrow.names)
