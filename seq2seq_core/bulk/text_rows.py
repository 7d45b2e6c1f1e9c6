"""Rows of text files: TSV, CSV, JSON lines, one source a line. A row that cannot be read is a row with a fault."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from seq2seq_core.bulk.input_files import InputFile
from seq2seq_core.bulk.row_block import BulkRow, source_row
from seq2seq_core.corpus.formats import describe_width, parse_json_line
from seq2seq_core.corpus.lines import CorpusFile, iterate_lines, unpack, without_line_end
from seq2seq_core.corpus.tables.csv_records import csv_cells
from seq2seq_core.errors import CorpusError
from seq2seq_core.json_text import leading_members, shorten
from seq2seq_core.lookalikes import explain_lookalike


@dataclass
class _Faults:
    """Faults of lines that a reader has told of, until their rows come.

    Attributes:
        file: the file, whose name is no part of a row's fault.
        waiting: faults by line, in order.
    """

    file: CorpusFile
    waiting: dict[int, str] = field(default_factory=dict)

    def __call__(self, error: CorpusError) -> None:
        """See :data:`~seq2seq_core.corpus.file_faults.broken_lines.OnFault`."""
        line = error.line or 0
        self.waiting.setdefault(line, str(error).removeprefix(f"{self.file.shown}:{line}: "))

    def of(self, line: int) -> str:
        """The fault of the row that begins in a line; empty: none."""
        fault = self.waiting.get(line) or next(iter(self.waiting.values()), "")
        self.waiting.clear()
        return fault


def read_text_rows(source: InputFile, column: str) -> Iterator[BulkRow]:
    """The rows of a file, one for each line (of CSV, each record) behind the header.

    Args:
        source: a file that is not Parquet.
        column: the source's column.

    Raises:
        CorpusError: the file as a whole cannot be read: its header lacks the column or repeats one, its gzip data are damaged,
            or it has another encoding.
    """
    file = source.file
    if not file.path.stat().st_size:
        return
    with io.FileIO(file.path) as raw, unpack(file, raw) as stream:
        faults = _Faults(file)
        lines = iterate_lines(file, stream, faults)
        if source.kind in ("tsv", "csv"):
            split = ((line, without_line_end(text).split("\t")) for line, text in lines)
            cells = split if source.kind == "tsv" else csv_cells(file, lines, ",", faults, keeps_broken=True)
            yield from _table_rows(file, cells, faults, column)
            return
        for line, text in lines:
            if source.kind == "text":
                yield source_row({column: without_line_end(text)}, column, faults.of(line))
            else:
                yield _json_row(source, line, text, faults, column)


def _table_rows(file: CorpusFile, lines: Iterator[tuple[int, list[str]]], faults: _Faults, column: str) -> Iterator[BulkRow]:
    names: list[str] = []
    for line, cells in lines:
        if not names:
            if fault := faults.of(line):
                raise file.fault(fault, line)
            check_names(file, cells, column, line)
            names = cells
            continue
        fault = faults.of(line) or (describe_width(cells, names) if len(cells) != len(names) else "")
        yield source_row(dict(zip_longest(names, cells[: len(names)])), column, fault)


def _json_row(source: InputFile, line: int, text: str, faults: _Faults, column: str) -> BulkRow:
    try:
        cells = parse_json_line(source.file, line, text)
    except CorpusError as error:
        faults(error)
        return BulkRow(leading_members(text), faults.of(line))
    return source_row(cells, column, faults.of(line), text if source.output_kind == "jsonl" else "")


def check_names(file: CorpusFile, names: Sequence[str], column: str, line: int | None = None) -> None:
    """Checks the columns of a table.

    Args:
        file: names the file in errors.
        names: of all columns.
        column: the source's.
        line: where the names stand; None: nowhere.

    Raises:
        CorpusError: the source's column is missing, or two columns have the same name.
    """
    shown = ", ".join(repr(shorten(name)) for name in names)
    if len(set(names)) < len(names):
        raise file.fault(f"two columns have the same name; the columns are {shown}; expected different names", line)
    if column not in names:
        raise file.fault(
            f"no column {column!r}; the columns are {shown}; expected --column to be one of them{explain_lookalike(column, names)}",
            line,
        )
