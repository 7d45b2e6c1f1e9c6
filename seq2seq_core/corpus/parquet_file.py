"""Parquet files of a corpus: opening one, and its cells as text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from seq2seq_core.corpus.lines import CorpusFile
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
