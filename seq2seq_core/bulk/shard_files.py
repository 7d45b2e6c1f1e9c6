"""Shards: files with the rows of the input and their predictions, written whole or not at all."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_core import atomic
from seq2seq_core.bulk.answer_columns import AnswerColumns
from seq2seq_core.bulk.input_files import GZIP, InputFile
from seq2seq_core.bulk.job_manifest import InputRecord
from seq2seq_core.bulk.plain_values import json_of, with_members
from seq2seq_core.bulk.row_block import BulkRow, RowBlock, RowResult
from seq2seq_core.csv_text import format_csv
from seq2seq_core.errors import UserError, first_line, library_errors

METADATA_KEY = b"s2s"
"""The key of the job's record in the metadata of a Parquet file's schema."""
_TO_SPACES = str.maketrans("\t\n\r", "   ")
Rows = Iterable[tuple[BulkRow, dict[str, Any]]]
"""Each row, and the cells that are added."""


@dataclass(frozen=True)
class ShardWriter:
    """Writes the shards of one input.

    Attributes:
        source: the input.
        record: its columns.
        answers: the columns that are added.
        origin: what made the predictions: model, digest, engine.
    """

    source: InputFile
    record: InputRecord
    answers: AnswerColumns
    origin: Mapping[str, Any]

    def write(self, path: Path, block: RowBlock, results: Sequence[RowResult]) -> None:
        """Writes a shard by atomic rename.

        Args:
            path: the file to write or replace.
            block: its rows.
            results: the prediction of each.

        Raises:
            UserError: Arrow cannot hold the rows; names the file.
            OSError: the disk is full, or may not be written to; names the file.
        """
        added = [self.answers.cells(result) for result in results]
        with atomic.new_file(path) as draft:
            if self.source.output_kind == "parquet":
                with library_errors(lambda error: UserError(f"{path}: cannot be written as Parquet ({first_line(error)})")):
                    self._write_parquet(draft, block, added)
            else:
                self._write_text(draft, zip(block.rows, added, strict=True))

    def _write_text(self, draft: Path, rows: Rows) -> None:
        lines = {"jsonl": self._json_lines, "tsv": self._tsv_lines, "csv": self._csv_lines}[self.source.output_kind](rows)
        with draft.open("wb") as raw:
            if not self.source.output_format.endswith(GZIP):
                raw.writelines(line.encode() for line in lines)
                return
            # Without a name and a time in its head, the file depends on its content alone.
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                packed.writelines(line.encode() for line in lines)

    def _json_lines(self, rows: Rows) -> Iterator[str]:
        for row, added in rows:
            yield (with_members(row.text, added) if row.text else json_of({**row.cells, **added})) + "\n"

    def _tsv_lines(self, rows: Rows) -> Iterator[str]:
        for line in self._lines(rows):
            yield "\t".join(cell.translate(_TO_SPACES) for cell in line) + "\n"

    def _csv_lines(self, rows: Rows) -> Iterator[str]:
        for line in self._lines(rows):
            yield format_csv([line])

    def _lines(self, rows: Rows) -> Iterator[list[str]]:
        """The cells of the header and of each row, as text."""
        yield [*self.record.columns, *self.answers.names]
        for row, added in rows:
            yield [*(cell_text(row.cells.get(name)) for name in self.record.columns), *map(cell_text, added.values())]

    def _write_parquet(self, draft: Path, block: RowBlock, added: list[dict[str, Any]]) -> None:
        import pyarrow
        import pyarrow.parquet

        table = block.table
        if table is None:
            kept = {
                name: arrow_column((row.cells.get(name) for row in block.rows), kind) for name, kind in self.record.columns.items()
            }
            table = pyarrow.table(kept)
        for name, kind in self.answers.kinds.items():
            table = table.append_column(name, arrow_column((cells[name] for cells in added), kind))
        metadata = {**(table.schema.metadata or {}), METADATA_KEY: json.dumps(self.origin, ensure_ascii=False).encode()}
        pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), draft, row_group_size=max(1, table.num_rows))


def cell_text(value: Any) -> str:
    """A value as a cell of TSV or CSV; None is empty, lists, objects and booleans are JSON."""
    if isinstance(value, bool | dict | list):
        return json_of(value)
    return "" if value is None else str(value)


def arrow_column(values: Iterable[Any], kind: str) -> Any:
    """A column of an Arrow table.

    Args:
        values: one for each row.
        kind: ``text``, ``integer``, ``number``, ``boolean``, ``null``, or ``json`` for values that differ, which become JSON.
    """
    import pyarrow

    types = {"integer": pyarrow.int64(), "number": pyarrow.float64(), "boolean": pyarrow.bool_()}
    if kind in types:
        return pyarrow.array(values, type=types[kind], from_pandas=False)
    texts = (None if value is None else cell_text(value) for value in values)
    return pyarrow.array(texts, type=pyarrow.string())
