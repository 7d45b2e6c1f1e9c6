"""Samples of the rows that ``prepare`` kept, from its files: a few bytes of each are read, however large it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from seq2seq_core.artifacts import SPLITS, Paths

MOST_ROWS = 5
LONGEST_LINE = 1 << 22
"""Bytes of a line beyond which it is passed by."""


@dataclass(frozen=True)
class PreparedRow:
    """A row of a prepared file.

    Attributes:
        split: its split, or ``monolingual.en`` and such.
        values: its texts and columns, by name.
    """

    split: str
    values: dict[str, str]


def sample_prepared_rows(paths: Paths, most: int = MOST_ROWS) -> list[PreparedRow]:
    """Some rows of each prepared file, from places that are evenly apart in it.

    Args:
        paths: the workspace; reads ``data/prepared``.
        most: of each file.
    """
    files = [*map(paths.prepared_split, SPLITS), *map(paths.prepared_sentences, paths.prepared_languages())]
    return [PreparedRow(path.name.removesuffix(".jsonl"), values) for path in files for values in _sample(path, most)]


def _sample(path: Path, most: int) -> Iterator[dict[str, str]]:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            seen = set[int]()
            for place in range(most):
                start = _line_start(file, size * place // most)
                line = file.readline(LONGEST_LINE)
                if start in seen or not line.endswith(b"\n"):
                    continue
                seen.add(start)
                row = json.loads(line)
                yield {str(name): str(value) for name, value in row.items()}
    except (OSError, ValueError, AttributeError):
        return


def _line_start(file: IO[bytes], place: int) -> int:
    """Moves to the first line that begins at a place or after it; returns where that is."""
    if not place:
        file.seek(0)
        return 0
    file.seek(place - 1)
    while (part := file.readline(LONGEST_LINE)) and not part.endswith(b"\n"):
        pass
    return file.tell()
