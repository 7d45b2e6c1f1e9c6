"""The dialect of a table: its format, the delimiter of its cells and whether they are quoted.

A dialect is judged by the cells that the corpus reader would make of the lines with it, so that what is proposed can be read.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seq2seq_core.config.corpus import CorpusFormat
from seq2seq_core.json_text import JsonError, parse_object

DELIMITERS = ("\t", " ||| ", ",", ";", "|", "  ")
"""Delimiters that are tried; of equally good ones the first is taken, that of the file's ending before all."""
LEAST_SHARE = 0.95
"""The share of lines that must have the same number of cells."""
MAX_LINES = 2_000
"""Lines that a dialect is judged by."""
NAMES = {"\t": "TAB", ",": "comma", ";": "semicolon", "|": "vertical bar", "  ": "two spaces"}


@dataclass(frozen=True)
class Dialect:
    """How the lines of a table become cells.

    Attributes:
        format: ``tsv`` (nothing is quoted), ``csv`` (cells may be quoted), ``jsonl`` or ``parquet``.
        delimiter: text between the cells; empty where the format has none.
        width: number of cells of a line; 0 where cells have names.
    """

    format: CorpusFormat
    delimiter: str = ""
    width: int = 0

    @property
    def description(self) -> str:
        """The dialect in a few words."""
        if self.format in ("jsonl", "parquet"):
            return {"jsonl": "a JSON object a line", "parquet": "Parquet"}[self.format]
        name = NAMES.get(self.delimiter, repr(self.delimiter))
        return f"{self.width} columns separated by {name}" + (", cells may be quoted" if self.format == "csv" else "")

    def cells(self, lines: Sequence[str]) -> Iterator[list[str]]:
        """The cells of lines, those that cannot be read left out.

        Args:
            lines: without line ends.
        """
        if self.format != "csv":
            yield from (line.split(self.delimiter) for line in lines)
            return
        reader = csv.reader((f"{line}\n" for line in lines), delimiter=self.delimiter)
        try:
            yield from reader
        except csv.Error:
            return


def find_dialect(ending: str, lines: Sequence[str], told: str = "") -> Dialect | None:
    """The dialect of a table's lines; None: they are no table.

    Args:
        ending: of the file's name, such as ``.csv``.
        lines: from the beginning of the file, without line ends.
        told: the delimiter that the file tells; empty: the likeliest.
    """
    lines = lines[:MAX_LINES]
    if _is_json(lines):
        return Dialect("jsonl")
    preferred = {".tsv": "\t", ".csv": ","}.get(ending, "")
    best, best_share = None, 0.0
    for delimiter in sorted((told,) if told else DELIMITERS, key=lambda delimiter: delimiter != preferred):
        for dialect, share in _judge(delimiter, lines, is_csv=ending == ".csv"):
            # A difference below a percent is no reason to leave the more usual delimiter.
            if share >= LEAST_SHARE and share > best_share + 0.01:
                best, best_share = dialect, share
    return best


def is_json_array(lines: Sequence[str]) -> bool:
    """Whether a file holds one JSON array instead of an object a line."""
    return bool(lines) and lines[0].lstrip().startswith("[") and not _is_json(lines[:1]) and _begins_as_json(lines)


def _begins_as_json(lines: Sequence[str]) -> bool:
    text = "".join(lines[:3]).replace(" ", "")
    return text.startswith(("[{", '["', "[["))


def _judge(delimiter: str, lines: Sequence[str], is_csv: bool) -> Iterator[tuple[Dialect, float]]:
    """The dialect with a delimiter and the share of lines of its width: quoted where that is certain or makes widths agree."""
    plain = list(_with_width(Dialect("tsv", delimiter), lines))
    if len(delimiter) > 1:
        return iter(plain)
    if plain and plain[0][1] == 1.0 and _has_stray_quotes(delimiter, lines):
        return iter(plain)
    quoted = list(_with_width(Dialect("csv", delimiter), lines))
    share = _enclosed_share(delimiter, lines)
    if is_csv or delimiter == "," or share >= 0.1:
        return iter(quoted)
    is_better = bool(share and quoted) and (not plain or quoted[0][1] > plain[0][1])
    return iter(quoted if is_better else plain)


def _with_width(dialect: Dialect, lines: Sequence[str]) -> Iterator[tuple[Dialect, float]]:
    """The dialect with the commonest width of the lines and its share; nothing where that is a single cell."""
    counts = Counter(len(cells) for cells in dialect.cells(lines))
    if not counts:
        return
    width, count = counts.most_common(1)[0]
    if width >= 2:
        yield Dialect(dialect.format, dialect.delimiter, width), count / counts.total()


def _has_stray_quotes(delimiter: str, lines: Sequence[str]) -> bool:
    """Whether quotation marks cannot be those of CSV: it has no such records, and more cells have one mark than two."""
    try:
        for _ in csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True):
            pass
    except csv.Error:
        marked = [cell for line in lines for cell in line.split(delimiter) if cell.startswith('"') or cell.endswith('"')]
        return sum(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in marked) < len(marked) / 2
    return False


def _enclosed_share(delimiter: str, lines: Sequence[str]) -> float:
    """The share of cells that quotation marks enclose; 0 where one of the marks is just part of a text."""
    enclosed = total = 0
    for line in lines:
        for cell in line.split(delimiter):
            total += 1
            if '"' not in cell:
                continue
            if not (cell.startswith('"') or cell.endswith('"')):
                return 0.0
            if not cell.count('"') % 2 and '"' in cell[1:-1].replace('""', ""):
                return 0.0
            enclosed += 1
    return enclosed / max(1, total)


def _is_json(lines: Sequence[str]) -> bool:
    """Whether the first lines are JSON objects."""
    filled = [line for line in lines if line.strip()][:20]
    try:
        return bool([parse_object(line) for line in filled])
    except JsonError:
        return False
