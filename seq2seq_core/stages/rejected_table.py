"""Rejected rows as text, CSV or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from itertools import groupby

from seq2seq_core.csv_text import format_csv
from seq2seq_core.stages.rejected import RejectedRow


def as_text(rows: Iterable[RejectedRow]) -> Iterator[str]:
    """Lines for a terminal: a head for each contract of each split, and a line a row.

    Args:
        rows: those of a contract and a split together.
    """
    found = False
    for (split, contract), group in groupby(rows, key=lambda row: (row.split, row.contract)):
        found = True
        yield f"{split or 'files'}, {contract}\n"
        for row in group:
            yield f"    {row.file}{f':{row.line}' if row.line else ''}: {row.reason}\n"
    if not found:
        yield "no row breaks a contract\n"


def as_json_lines(rows: Iterable[RejectedRow]) -> Iterator[str]:
    """A JSON object a row.

    Args:
        rows: the rows.
    """
    for row in rows:
        yield json.dumps(asdict(row), ensure_ascii=False) + "\n"


def as_csv(rows: Iterable[RejectedRow]) -> Iterator[str]:
    """The rows of a CSV file, the names of the columns first.

    Args:
        rows: the rows.
    """
    names = [field.name for field in fields(RejectedRow)]
    yield format_csv([names])
    for row in rows:
        yield format_csv([[getattr(row, name) for name in names]])
