"""Parquet files of a corpus: opening one, and its cells as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from seq2seq_core.corpus.lines import CorpusFile
from seq2seq_core.corpus.tables.nested_columns import parents_of
from seq2seq_core.errors import UserError, first_line, library_errors


@contextmanager
def open_parquet(file: CorpusFile) -> Iterator[Any]:
    """The opened file, a ``pyarrow.parquet.ParquetFile``.

    Args:
        file: the Parquet file.

    Raises:
        CorpusError: it is not a Parquet file, or is damaged.
        UserError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise UserError(f"{file.shown}: reading Parquet needs pyarrow, which is not installed; run: pip install pyarrow") from None
    with parquet_faults(file):
        opened = pyarrow.parquet.ParquetFile(file.path)
    with opened:
        yield opened


def parquet_faults(file: CorpusFile, line: int | None = None) -> AbstractContextManager[None]:
    """Turns every error of pyarrow into one about the file.

    Args:
        file: names the file in errors.
        line: the last row that could be read; None: none yet.
    """
    place = "" if line is None else f" beyond row {line}"
    return library_errors(lambda error: file.fault(f"not a Parquet file that can be read{place} ({first_line(error)})"))


def parquet_text(value: object) -> str:
    """A cell of a Parquet file as text; null is empty."""
    return "" if value is None else str(value)


@dataclass(frozen=True)
class ParquetField:
    """A column, or a member of a column of structures.

    Attributes:
        type: its type in Arrow.
        place: place of the column, then of the member inside it, and so on.
    """

    type: Any
    place: tuple[int, ...]

    def values(self, batch: Any) -> list[object]:
        """Its values in a record batch; null where a structure is null."""
        import pyarrow.compute

        column = batch.column(self.place[0])
        values: list[object] = (
            pyarrow.compute.struct_field(column, list(self.place[1:])) if self.place[1:] else column
        ).to_pylist()
        return values


def find_fields(schema: Any, wanted: Sequence[str]) -> dict[str, ParquetField]:
    """The columns of a Parquet file; those of structures that a wanted name goes into are replaced by their members.

    Args:
        schema: the file's Arrow schema.
        wanted: names of columns; those with dots may name members.
    """
    fields = {field.name: ParquetField(field.type, (place,)) for place, field in enumerate(schema)}
    for name in wanted:
        while parent := next((parent for parent in parents_of(name, fields) if _is_structure(fields[parent])), ""):
            fields = {
                key: field
                for column, own in fields.items()
                for key, field in (members_of(column, own) if column == parent else {column: own}).items()
            }
    return fields


def members_of(column: str, field: ParquetField) -> dict[str, ParquetField]:
    """The members of a column of structures, by dotted names; none of other columns."""
    if not _is_structure(field):
        return {}
    return {f"{column}.{member.name}": ParquetField(member.type, (*field.place, place)) for place, member in enumerate(field.type)}


def _is_structure(field: ParquetField) -> bool:
    import pyarrow.types

    return bool(pyarrow.types.is_struct(field.type))
