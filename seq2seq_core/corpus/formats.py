"""Rows of each format of text files: TSV, CSV, JSON lines, two aligned files."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.bounded_lines import EmptyLines
from seq2seq_core.corpus.file_faults.broken_lines import OnFault, raise_fault, report_fault
from seq2seq_core.corpus.lines import CorpusFile, iterate_lines, without_line_end
from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.corpus.tables.csv_records import csv_cells
from seq2seq_core.corpus.tables.head_lines import advise_on_head, without_head
from seq2seq_core.corpus.tables.nested_columns import unfold
from seq2seq_core.errors import CorpusError
from seq2seq_core.json_text import JsonError, parse_object, shorten
from seq2seq_core.lookalikes import explain_lookalike


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

    def width_fault(self, cells: Sequence[str], line: int) -> CorpusError:
        """The error of a line with another number of cells than the table has columns."""
        advice = advise_on_head(cells) if line == 1 else ""
        return self.file.fault(describe_width(cells, self.names) + advice, line)

    def row(self, cells: Sequence[str], line: int) -> Row:
        """The row with one line's cells, one for each column."""
        others = {name: cells[i] for i, name in enumerate(self.names) if i not in (self.source, self.target)}
        return Row(cells[self.source], cells[self.target], others, self.file.name, line)


def read_tsv(corpus: CorpusSection, file: CorpusFile, stream: io.BufferedReader, on_fault: OnFault = raise_fault) -> Iterator[Row]:
    """The rows of a TSV file; quotation marks have no special meaning.

    Args:
        corpus: names the columns.
        file: names the file in errors.
        stream: its unpacked bytes.
        on_fault: receives the fault of a line.

    Raises:
        CorpusError: a column is missing, a line has another number of cells, or the bytes are not text.
    """
    empty = EmptyLines()
    lines = without_head(iterate_lines(file, stream, on_fault, empty), corpus.comment_prefix)
    cells = ((line, without_line_end(text).split(corpus.delimiter or "\t")) for line, text in lines)
    yield from _table_rows(corpus, file, cells, on_fault, empty)


def read_csv(corpus: CorpusSection, file: CorpusFile, stream: io.BufferedReader, on_fault: OnFault = raise_fault) -> Iterator[Row]:
    """The rows of a CSV file, quoted by RFC 4180 (a quoted cell may hold line ends).

    Args:
        corpus: names the columns.
        file: names the file in errors.
        stream: its unpacked bytes.
        on_fault: receives the fault of a row.

    Raises:
        CorpusError: a column is missing, a row has another number of cells, quotes are not closed, or the bytes are not text.
    """
    lines = without_head(iterate_lines(file, stream, on_fault), corpus.comment_prefix)
    yield from _table_rows(corpus, file, csv_cells(file, lines, corpus.delimiter or ",", on_fault), on_fault)


def _table_rows(
    corpus: CorpusSection,
    file: CorpusFile,
    lines: Iterable[tuple[int, list[str]]],
    on_fault: OnFault,
    empty: EmptyLines | None = None,
) -> Iterator[Row]:
    table = None if corpus.header else find_columns(corpus, file, corpus.columns or [corpus.source_column, corpus.target_column])
    for line, cells in lines:
        if table is None:
            table = find_columns(corpus, file, cells, line, is_header=True)
        elif len(cells) == len(table.names):
            yield table.row(cells, line)
        else:
            report_fault(on_fault, file.shown, line, partial(table.width_fault, cells))
        if empty is not None and len(table.names) > 1:
            empty.report = partial(_report_empty, file, table, on_fault)
            empty = None


def _report_empty(file: CorpusFile, table: Table, on_fault: OnFault, line: int, text: str, num_lines: int) -> None:
    report_fault(on_fault, file.shown, line, partial(table.width_fault, [""]), num_lines)


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
            hint += explain_lookalike(wanted, names) + (advise_on_head(names) if line == 1 else "")
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


def describe_width(cells: Sequence[str], names: list[str]) -> str:
    """What is wrong with a row of another number of cells than the table has columns.

    Args:
        cells: the row's cells.
        names: of the columns.
    """
    if not any(cells):
        return f"expected {len(names)} columns ({', '.join(names)}), got an empty line"
    hint = ""
    if any(cell.startswith('"') and cell.count('"') % 2 for cell in cells):
        hint = (
            "; a quotation mark is open at the end of the line, as where Excel quotes a cell with a line end; "
            "expected CSV for such cells (save the sheet as CSV UTF-8)"
        )
    return f"expected {len(names)} columns ({', '.join(names)}), got {len(cells)}: {shorten(' | '.join(cells))!r}" + hint


def read_jsonl(
    corpus: CorpusSection, file: CorpusFile, stream: io.BufferedReader, on_fault: OnFault = raise_fault
) -> Iterator[Row]:
    """The rows of a JSON lines file; other columns that are not text are kept as JSON.

    Args:
        corpus: names the keys; ``a.b`` is the key ``b`` of the object in ``a``.
        file: names the file in errors.
        stream: its unpacked bytes.
        on_fault: receives the fault of a line.

    Raises:
        CorpusError: a line is not a JSON object, its source or target is missing or not text, or the bytes are not text.
    """
    empty = EmptyLines()
    empty.report = lambda line, text, num_lines: report_fault(
        on_fault, file.shown, line, partial(_json_line_fault, file, text), num_lines
    )
    for line, text in iterate_lines(file, stream, on_fault, empty):
        try:
            row = _json_row(corpus, file, line, text)
        except JsonError as error:
            report_fault(on_fault, file.shown, line, partial(_json_fault, file, error))
        except CorpusError as error:
            on_fault(error)
        else:
            yield row


def _json_row(corpus: CorpusSection, file: CorpusFile, line: int, text: str) -> Row:
    wanted = corpus.source_column, corpus.target_column
    cells = unfold(parse_object(text), wanted)
    table = find_columns(corpus, file, list(cells), line)
    for name in wanted:
        _check_json_text(file, line, name, cells[name])
    return table.row([json_text(value) for value in cells.values()], line)


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
        raise _json_fault(file, error, line) from None


def _json_fault(file: CorpusFile, error: JsonError, line: int) -> CorpusError:
    return file.fault(f"{error}; expected one JSON object a line", line)


def _json_line_fault(file: CorpusFile, text: str, line: int) -> CorpusError:
    """The error of a line that is no JSON object."""
    try:
        parse_object(text)
    except JsonError as error:
        return _json_fault(file, error, line)
    raise AssertionError("a faulty line has a fault")


def _check_json_text(file: CorpusFile, line: int, name: str, value: object) -> None:
    if not isinstance(value, str):
        raise file.fault(f"expected a text in {name!r}, got {shorten(json.dumps(value, ensure_ascii=False))}", line)


def json_text(value: object) -> str:
    """A value of a JSON line as text; what is no text stays JSON, null is empty."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def read_aligned(
    files: Sequence[CorpusFile], streams: Sequence[io.BufferedReader], on_fault: OnFault = raise_fault
) -> Iterator[Row]:
    """The rows of two line-aligned text files.

    Args:
        files: the source's and the target's file.
        streams: their unpacked bytes.
        on_fault: receives the fault of a line.

    Raises:
        CorpusError: one file has more lines than the other, or the bytes are not text.
    """
    counts = [0, 0]
    source_lines, target_lines = (iterate_lines(file, stream, on_fault) for file, stream in zip(files, streams, strict=True))
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
