"""Rows of a bulk job between reading and writing: their cells, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from seq2seq_core.corpus.tables.nested_columns import unfold
from seq2seq_core.decoding.prediction import TextHypothesis


class BulkRow(NamedTuple):
    """A row of an input.

    Attributes:
        cells: its values by column; none where the row cannot be read.
        fault: why it cannot be predicted; empty: it can.
        text: its line, where that is a JSON object; else empty.
    """

    cells: Mapping[str, Any]
    fault: str = ""
    text: str = ""


@dataclass(frozen=True)
class RowBlock:
    """The rows of a shard.

    Attributes:
        rows: one for each row of the input, in order.
        table: the same as an Arrow table with all columns, where both sides are Parquet; else None.
    """

    rows: list[BulkRow]
    table: Any = None


class RowResult(NamedTuple):
    """The prediction of a row.

    Attributes:
        hypotheses: best first; none where the row failed.
        error: why it failed; empty: it did not.
    """

    hypotheses: tuple[TextHypothesis, ...] = ()
    error: str = ""


def source_row(cells: Mapping[str, Any], column: str, fault: str = "", text: str = "") -> BulkRow:
    """A row whose source is checked.

    Args:
        cells: its values by column.
        column: the source's column; ``a.b`` is the member ``b`` of ``a``.
        fault: what is known to be wrong with it.
        text: its line, where that is a JSON object.
    """
    source = source_of(cells, column)
    if not fault and not isinstance(source, str):
        found = "null" if source is None else type(source).__name__
        fault = f"expected a text in {column!r}, got {found}"
    return BulkRow(cells, fault, text)


def source_of(cells: Mapping[str, Any], column: str) -> Any:
    """The value in the source's column; None where there is none.

    Args:
        cells: values by column.
        column: as in :func:`source_row`.
    """
    return (cells if column in cells else unfold(cells, [column])).get(column)


def group_rows(rows: Iterable[BulkRow], size: int) -> Iterator[RowBlock]:
    """Blocks of a number of rows; the last may have fewer.

    Args:
        rows: the rows.
        size: rows of a block.
    """
    remaining = iter(rows)
    while block := list(islice(remaining, size)):
        yield RowBlock(block)
