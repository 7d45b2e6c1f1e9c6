"""Rows of each file format: TSV, CSV, JSON lines, Parquet, two aligned text files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.lines import CorpusFile, iterate_lines, without_line_end
from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.corpus.parquet_file import open_parquet, parquet_faults, parquet_text
from seq2seq_core.errors import CorpusError
from seq2seq_core.json_text import JsonError, parse_object, shorten
from seq2seq_core.lookalikes import explain_lookalike

PARQUET_BATCH_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """One pair as read from the corpus.

    Attributes:
        source: the source text, unchanged.
        target: the target text, unchanged.
        columns: the other columns, as text.
        file: name of the file; of the source's file if there are two.
        line: 1-based line where the row begins; in a Parquet file, the row's number.
    """

    source: str
    target: str
    columns: dict[str, str]
    file: str
    line: int


@dataclass(frozen=True)
class Table:
    """The columns of one file, with the positions of source and target."""

    file: CorpusFile
    names: list[str]
    source: int
    target: int

    def row(self, cells: Sequence[str], line: int) -> Row:
        """The row with one line's cells."""
        if len(cells) != len(self.names):
            raise self.file.fault(_wrong_width(cells, self.names), line)
        others = {name: cells[i] for i, name in enumerate(self.names) if i not in (self.source, self.target)}
        return Row(cells[self.source], cells[self.target], others, self.file.name, line)


def read_tsv(corpus: CorpusSection, file: CorpusFile, stream: io.BufferedReader) -> Iterator[Row]:
    """The rows of a TSV file; quotation marks have no special meaning.

    Args:
        corpus: names the columns.
        file: names the file in errors.
        stream: its unpacked bytes.

    Raises:
        CorpusError: a column is missing, a line has another number of cells, or the bytes are not text.
    """
    lines = ((line, without_line_end(text).split(corpus.delimiter or "\t")) for line, text in iterate_lines(file, stream))
    yield from _table_rows(corpus, file, lines)


def read_csv(corpus: CorpusSection, file: CorpusFile, stream: io.BufferedReader) -> Iterator[Row]:
    """The rows of a CSV file, quoted by RFC 4180 (a quoted cell may hold line ends).

    Args:
        corpus: names the columns.
        file: names the file in errors.
        stream: its unpacked bytes.

    Raises:
        CorpusError: a column is missing, a row has another number of cells, quotes are not closed, or the bytes are not text.
    """
    yield from _table_rows(corpus, file, _csv_cells(file, stream, corpus.delimiter or ","))


def _csv_cells(file: CorpusFile, stream: io.BufferedReader, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader((text for _, text in iterate_lines(file, stream)), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise file.fault(f"the row that begins here is not valid CSV ({error}); expected quotes as in RFC 4180", line) from None
        yield line, cells


def _table_rows(corpus: CorpusSection, file: CorpusFile, lines: Iterable[tuple[int, list[str]]]) -> Iterator[Row]:
    table = None if corpus.header else find_columns(corpus, file, corpus.columns or [corpus.source_column, corpus.target_column])
    for line, cells in lines:
        if table is None:
            table = find_columns(corpus, file, cells, line, is_header=True)
        else:
            yield table.row(cells, line)


def find_columns(
    corpus: CorpusSection, file: CorpusFile, names: list[str], line: int | None = None, is_header: bool = False
) -> Table:
    """Where source and target are among the columns.

    Args:
        corpus: names the columns of both.
        file: names the file in errors.
        names: of all columns of the file, or of a single row.
        line: where they stand; None: nowhere.
        is_header: whether a line of the file names them.

    Raises:
        CorpusError: a column is missing, stands twice, or has a name that is taken.
    """
    shown = ", ".join(repr(shorten(name)) for name in names)
    settings = ("source_column", "target_column") if corpus.conversations is None else ("conversations.text_column",) * 2
    for setting, wanted in zip(settings, (corpus.source_column, corpus.target_column), strict=True):
        if wanted not in names:
            hint = " (or corpus.header: false if this line is already a pair)" if is_header else ""
            hint += explain_lookalike(wanted, names)
            raise file.fault(
                f"no column {wanted!r}; the columns are {shown}; expected corpus.{setting} to be one of them{hint}", line
            )
    if len(set(names)) < len(names):
        raise file.fault(f"two columns have the same name; the columns are {shown}; expected different names", line)
    for name in {SOURCE, TARGET} & set(names) - {corpus.source_column, corpus.target_column}:
        raise file.fault(
            f"the column {name!r} is neither corpus.source_column nor corpus.target_column; rename it in the file", line
        )
    return Table(file, names, names.index(corpus.source_column), names.index(corpus.target_column))


def _wrong_width(cells: Sequence[str], names: list[str]) -> str:
    if not any(cells):
        return f"expected {len(names)} columns ({', '.join(names)}), got an empty line"
    hint = ""
    if any(cell.startswith('"') and cell.count('"') % 2 for cell in cells):
        hint = (
            "; a quotation mark is open at the end of the line, as where Excel quotes a cell with a line end; "
            "expected CSV for such cells (save the sheet as CSV UTF-8)"
        )
    return f"expected {len(names)} columns ({', '.join(names)}), got {len(cells)}: {shorten(' | '.join(cells))!r}" + hint


def read_jsonl(corpus: CorpusSection, file: CorpusFile, stream: io.BufferedReader) -> Iterator[Row]:
    """The rows of a JSON lines file; other columns that are not text are kept as JSON.

    Args:
        corpus: names the keys.
        file: names the file in errors.
        stream: its unpacked bytes.

    Raises:
        CorpusError: a line is not a JSON object, its source or target is missing or not text, or the bytes are not text.
    """
    for line, text in iterate_lines(file, stream):
        cells = parse_json_line(file, line, text)
        table = find_columns(corpus, file, list(cells), line)
        for name in (corpus.source_column, corpus.target_column):
            _check_json_text(file, line, name, cells[name])
        yield table.row([json_text(value) for value in cells.values()], line)


def parse_json_line(file: CorpusFile, line: int, text: str) -> dict[str, Any]:
    """The object in a line of a JSON lines file.

    Args:
        file: names the file in errors.
        line: its number.
        text: the line.

    Raises:
        CorpusError: it is no JSON object, nested too deep, or has half of a surrogate pair.
    """
    try:
        return parse_object(text)
    except JsonError as error:
        raise file.fault(f"{error}; expected one JSON object a line", line) from None


def _check_json_text(file: CorpusFile, line: int, name: str, value: object) -> None:
    if not isinstance(value, str):
        raise file.fault(f"expected a text in {name!r}, got {shorten(json.dumps(value, ensure_ascii=False))}", line)


def json_text(value: object) -> str:
    """A value of a JSON line as text; what is no text stays JSON, null is empty."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def read_parquet(corpus: CorpusSection, file: CorpusFile) -> Iterator[Row]:
    """The rows of a Parquet file, read in batches.

    Args:
        corpus: names the columns.
        file: the Parquet file.

    Raises:
        CorpusError: it is not a Parquet file, is damaged, a column is missing or has no text, or a source or target is null.
        UserError: pyarrow is not installed.
    """
    with open_parquet(file) as parquet:
        with parquet_faults(file):
            schema, batches = parquet.schema_arrow, parquet.iter_batches(batch_size=PARQUET_BATCH_ROWS)
            names = list(schema.names)
        table = find_columns(corpus, file, names)
        _check_text_columns(corpus, file, schema)
        line = 0
        while (columns := _next_columns(file, batches, line)) is not None:
            for cells in zip(*columns, strict=True):
                line += 1
                _check_not_null(corpus, table, cells, line)
                yield table.row([parquet_text(value) for value in cells], line)


def _next_columns(file: CorpusFile, batches: Iterator[Any], line: int) -> list[list[object]] | None:
    """The columns of the next rows; None at the end."""
    with parquet_faults(file, line):
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


def read_aligned(files: Sequence[CorpusFile], streams: Sequence[io.BufferedReader]) -> Iterator[Row]:
    """The rows of two line-aligned text files.

    Args:
        files: the source's and the target's file.
        streams: their unpacked bytes.

    Raises:
        CorpusError: one file has more lines than the other, or the bytes are not text.
    """
    counts = [0, 0]
    source_lines, target_lines = (iterate_lines(file, stream) for file, stream in zip(files, streams, strict=True))
    for source, target in zip_longest(source_lines, target_lines):
        if source is not None:
            counts[0] += 1
        if target is not None:
            counts[1] += 1
        if source is not None and target is not None:
            yield Row(without_line_end(source[1]), without_line_end(target[1]), {}, files[0].name, source[0])
    if counts[0] != counts[1]:
        raise CorpusError(
            f"{counts[0]} lines, but {files[1].shown} has {counts[1]}; expected a line of the one for each line of the other",
            files[0].shown,
        )
