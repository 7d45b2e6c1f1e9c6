"""Requests as Parquet files, whose values are bounded before they are in memory: a few kilobytes may stand for gigabytes."""

from __future__ import annotations

import io
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from seq2seq_core.serving.front.answer import RefusedRequest
from seq2seq_core.serving.front.value_count import MAX_VALUES_PER_ROW

MAX_EXPANSION, LEAST_BYTES = 4, 1 << 20
"""A file may take at most this many times its size in memory; a small one that many bytes."""


def read_parquet(body: bytes, max_rows: int) -> dict[str, list[Any]]:
    """The columns of a file.

    Args:
        body: the file.
        max_rows: most rows of a request.

    Raises:
        RefusedRequest: with status 400: it is no Parquet file, has nested columns, or is too large in memory.
    """
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(body))
        names = _check_description(file, len(body), max_rows)
        # Texts stay a dictionary and places in it: one long text that each row repeats is not copied before it is measured.
        table = pyarrow.parquet.read_table(io.BytesIO(body), read_dictionary=names, use_threads=False)
        if (size := sum(map(_size, table.columns))) > (most := max(LEAST_BYTES, MAX_EXPANSION * len(body))):
            raise RefusedRequest(400, f"expected a Parquet file whose texts take at most {most} bytes in memory, got {size}")
        columns: dict[str, list[Any]] = table.to_pydict()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise RefusedRequest(400, f"the body must be a Parquet file, got something else ({type(error).__name__})") from None
    return columns


def _check_description(file: pyarrow.parquet.ParquetFile, size: int, max_rows: int) -> list[str]:
    """Checks what a file says of itself; returns the names of its columns."""
    schema, metadata = file.schema, file.metadata
    columns = [schema.column(number) for number in range(metadata.num_columns)]
    if nested := [column.path for column in columns if column.max_repetition_level or column.path != column.name]:
        raise RefusedRequest(400, f"expected a Parquet file of columns of plain values, got the nested column {nested[0]!r}")
    unpacked = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if metadata.num_rows > max_rows or len(columns) > MAX_VALUES_PER_ROW or unpacked > MAX_EXPANSION * size:
        raise RefusedRequest(
            400,
            f"expected a Parquet file of at most {max_rows} rows, {MAX_VALUES_PER_ROW} columns, and of {MAX_EXPANSION} times its "
            f"size in memory; got {metadata.num_rows} rows and {len(columns)} columns of {unpacked} bytes",
        )
    return [column.name for column in columns]


def _size(column: pyarrow.ChunkedArray) -> int:
    """Bytes of a column's texts, each repetition counted."""
    total = 0
    for chunk in column.chunks:
        if pyarrow.types.is_dictionary(chunk.type) and len(chunk):
            lengths = pyarrow.compute.binary_length(chunk.dictionary).take(chunk.indices)
            total += pyarrow.compute.sum(lengths.cast("int64")).as_py() or 0
        else:
            total += chunk.nbytes
    return total
