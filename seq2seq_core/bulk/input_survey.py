"""A first reading of every input: its digest, rows and columns, and the faults of whole files, before hours of decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from seq2seq_core.bulk.answer_columns import AnswerColumns
from seq2seq_core.bulk.input_files import InputFile
from seq2seq_core.bulk.job_manifest import InputRecord
from seq2seq_core.bulk.parquet_blocks import parquet_columns, read_parquet_blocks
from seq2seq_core.bulk.row_block import RowBlock, group_rows
from seq2seq_core.bulk.text_rows import check_names, read_text_rows
from seq2seq_core.tokenization.manifest import file_digest

SURVEY_ROWS = 4096
MAX_INTEGER = 1 << 63
MAX_EXACT = 1 << 53
"""The largest integer up to which a floating-point number holds each one."""
_LARGE = "large integer"
"""The kind of integers of which some are beyond :data:`MAX_EXACT`."""


def read_blocks(source: InputFile, column: str, others: Sequence[str], size: int) -> Iterator[RowBlock]:
    """The rows of a file in blocks.

    Args:
        source: the file.
        column: the source's column.
        others: further columns that the model reads.
        size: rows of a block; the last may have fewer.

    Raises:
        CorpusError: the file as a whole cannot be read.
        UserError: pyarrow is needed and not installed.
    """
    if source.kind == "parquet":
        return read_parquet_blocks(source, column, others, size)
    return group_rows(read_text_rows(source, column), size)


def survey_input(source: InputFile, column: str, answers: AnswerColumns) -> InputRecord:
    """The record of an input, which is read to its end.

    Args:
        source: the file.
        column: the source's column.
        answers: the columns that the output gets beside those of the input.

    Raises:
        CorpusError: the file as a whole cannot be read, lacks the column, or has a column that the output gets.
        UserError: pyarrow is needed and not installed.
    """
    num_rows, kinds = 0, dict.fromkeys(parquet_columns(source), "arrow") if source.kind == "parquet" else {}
    for block in read_blocks(source, column, (), SURVEY_ROWS):
        num_rows += len(block.rows)
        if source.kind == "jsonl" or not kinds:
            _note_kinds(block, kinds)
    if source.kind == "jsonl" and kinds and column not in kinds and column.partition(".")[0] not in kinds:
        check_names(source.file, list(kinds), column)
    if taken := [name for name in answers.names if name in kinds]:
        raise source.file.fault(f"has a column {taken[0]!r} of its own; --output-column gives the predictions another name")
    return InputRecord(
        name=source.file.name,
        sha256=file_digest(source.file.path),
        num_rows=num_rows,
        columns={name: "integer" if kind == _LARGE else kind for name, kind in kinds.items()} or {column: "text"},
        output_format=source.output_format,
    )


def _note_kinds(block: RowBlock, kinds: dict[str, str]) -> None:
    """Adds the columns of a block's rows, and what their values have in common."""
    for row in block.rows:
        for name, value in row.cells.items():
            if (kind := kinds.get(name)) != "json":
                kinds[name] = _common_kind(kind or "null", _kind(value))


def _kind(value: Any) -> str:
    """The kind of a value of JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) and -MAX_INTEGER <= value < MAX_INTEGER:
        return "integer" if -MAX_EXACT <= value <= MAX_EXACT else _LARGE
    return "text" if isinstance(value, str) else "number" if isinstance(value, float) else "json"


def _common_kind(one: str, other: str) -> str:
    if "null" in (one, other):
        return other if one == "null" else one
    if one == other:
        return one
    # A large integer beside a fraction stays exact as JSON only.
    return {frozenset(("integer", "number")): "number", frozenset(("integer", _LARGE)): _LARGE}.get(frozenset((one, other)), "json")
