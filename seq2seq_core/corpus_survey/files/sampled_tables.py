"""Samples of the files that hold pairs: tables, JSON lines, Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from seq2seq_core.corpus.formats import json_text
from seq2seq_core.corpus.lines import CorpusFile
from seq2seq_core.corpus.parquet_file import find_fields, members_of, open_parquet, parquet_faults, parquet_text
from seq2seq_core.corpus_survey.files.dialects import Dialect
from seq2seq_core.corpus_survey.files.file_samples import TextSample
from seq2seq_core.corpus_survey.files.told_layout import NO_HEAD, HeadLines
from seq2seq_core.json_text import JsonError, parse_object

Item = TypeVar("Item")

MAX_ROWS = 20_000
"""Rows of a file that statistics are made of, at even distances in what was read."""
ROW_GROUPS, ROWS_OF_A_GROUP = 8, 2_500
"""Of a Parquet file, the first rows of this many row groups are read."""


@dataclass(frozen=True)
class SampledFile:
    """A file (or two aligned ones) of pairs, with rows from all over it.

    Attributes:
        names: its name inside the corpus folder; for two aligned files the source's and the target's.
        dialect: how its lines become cells; None for aligned files.
        columns: the names that the file itself gives its columns; empty: none, or perhaps those in the first row.
        rows: cells as text; with a header that is not known yet as the first row.
        num_rows: rows of the whole file, an estimate unless ``is_whole``.
        is_whole: whether the file was read as a whole.
        repeated: share of rows that repeat an earlier one, of those read.
        nested: columns whose values are neither text nor numbers.
        optional: columns that some rows lack.
        members: the texts inside nested columns, as further columns with dotted names.
        head: lines before the first row that are no rows.
    """

    names: tuple[str, ...]
    dialect: Dialect | None
    columns: tuple[str, ...]
    rows: list[list[str]]
    num_rows: int
    is_whole: bool
    repeated: float
    nested: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    head: HeadLines = NO_HEAD

    @property
    def name(self) -> str:
        """Its name, or both names."""
        return " + ".join(self.names)


def sample_table(file: CorpusFile, dialect: Dialect, sample: TextSample, head: HeadLines) -> SampledFile:
    """The rows of a table in a text file.

    Args:
        file: the file.
        dialect: its dialect.
        sample: its lines.
        head: the lines before the first row that are no rows.
    """
    if dialect.format == "jsonl":
        return _sample_json(file, dialect, sample)
    lines = [*sample.head[head.num_lines :], *sample.others]
    cells = [row for row in dialect.cells(lines) if len(row) == dialect.width]
    num_rows = len(cells) if sample.is_whole else sample.num_lines
    repeated = _repeated([tuple(row) for row in cells])
    return SampledFile((file.name,), dialect, head.columns, _evenly(cells), num_rows, sample.is_whole, repeated, head=head)


def sample_aligned(files: Sequence[CorpusFile], samples: Sequence[TextSample]) -> SampledFile:
    """The pairs of two aligned text files.

    Args:
        files: the source's and the target's.
        samples: their lines, in the same order.
    """
    pairs = list(zip(samples[0].head, samples[1].head, strict=False))
    is_whole = samples[0].is_whole and samples[1].is_whole
    num_rows = max(samples[0].num_lines, samples[1].num_lines) if is_whole else samples[0].num_lines
    names = tuple(file.name for file in files)
    return SampledFile(names, None, (), _evenly([list(pair) for pair in pairs]), num_rows, is_whole, _repeated(pairs))


def sample_parquet(file: CorpusFile) -> SampledFile:
    """Rows of a Parquet file.

    Args:
        file: the file.

    Raises:
        CorpusError: it cannot be read.
        UserError: pyarrow is not installed.
    """
    with open_parquet(file) as parquet, parquet_faults(file):
        import pyarrow.types

        schema, metadata = parquet.schema_arrow, parquet.metadata
        nested = tuple(field.name for field in schema if pyarrow.types.is_nested(field.type))
        fields = find_fields(schema, ())
        inner = [members_of(name, field) for name, field in fields.items()]
        members = {name: field for own in inner for name, field in own.items() if pyarrow.types.is_string(field.type)}
        fields |= members
        groups = range(0, metadata.num_row_groups, max(1, metadata.num_row_groups // ROW_GROUPS))
        rows: list[list[str]] = []
        for group in islice(groups, ROW_GROUPS):
            batches = parquet.iter_batches(batch_size=ROWS_OF_A_GROUP, row_groups=[group])
            for batch in islice(batches, 1 if len(groups) > 1 else ROW_GROUPS):
                columns = (field.values(batch) for field in fields.values())
                rows += [[parquet_text(value) for value in cells] for cells in zip(*columns, strict=True)]
    is_whole = len(rows) == metadata.num_rows
    repeated = _repeated([tuple(row) for row in rows])
    dialect = Dialect("parquet")
    return SampledFile(
        (file.name,), dialect, tuple(fields), _evenly(rows), metadata.num_rows, is_whole, repeated, nested, members=tuple(members)
    )


def _sample_json(file: CorpusFile, dialect: Dialect, sample: TextSample) -> SampledFile:
    """Rows of a file of JSON objects; a key that an object lacks is an empty cell."""
    objects = []
    for line in _evenly([*sample.head, *sample.others]):
        with suppress(JsonError):  # the reader names the line
            objects.append(parse_object(line))
    columns = tuple(dict.fromkeys(key for cells in objects for key in cells))
    nested = tuple(key for key in columns if any(isinstance(cells.get(key), dict | list) for cells in objects))
    members = _find_members(objects, nested)
    objects = [cells | {f"{parent}.{key}": cells[parent][key] for parent, key in members if parent in cells} for cells in objects]
    inner = tuple(f"{parent}.{key}" for parent, key in members)
    columns += inner
    rows = [[json_text(cells.get(key)) for key in columns] for cells in objects]
    repeated = _repeated([tuple(row) for row in rows])
    optional = tuple(key for key in columns if any(key not in cells for cells in objects))
    return SampledFile((file.name,), dialect, columns, rows, sample.num_lines, sample.is_whole, repeated, nested, optional, inner)


def _find_members(objects: Sequence[dict[str, Any]], nested: Sequence[str]) -> list[tuple[str, str]]:
    """The texts inside nested columns, as pairs of names; those that every object in the column has."""
    found = []
    for parent in nested:
        values = [cells[parent] for cells in objects if parent in cells]
        if all(isinstance(value, dict) for value in values):
            common = [key for key in values[0] if all(isinstance(value.get(key), str) for value in values)]
            found += [(parent, key) for key in common if f"{parent}.{key}" not in objects[0]]
    return found


def _evenly(items: list[Item]) -> list[Item]:
    """At most ``MAX_ROWS`` of the items, the first one among them."""
    step = -(-len(items) // MAX_ROWS) or 1
    return items[::step]


def _repeated(rows: Sequence[tuple[str, ...]]) -> float:
    return 1 - len(set(rows)) / len(rows) if rows else 0.0
