"""Lines at the head of a table that are no rows, and what they tell: comments, Anki's exports, Excel's ``sep=``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from seq2seq_core.corpus.tables.head_lines import head_mark
from seq2seq_core.corpus_survey.files.dialects import Dialect, find_dialect
from seq2seq_core.corpus_survey.files.file_names import is_known_name

ANKI_DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "colon": ":", "space": " "}
ANKI_KEYS = (
    "separator",
    "html",
    "tags",
    "columns",
    "notetype",
    "deck",
    "notetype column",
    "deck column",
    "tags column",
    "guid column",
)
MOST_HEAD_LINES = 200


@dataclass(frozen=True)
class HeadLines:
    """Lines at the head of a file that are no rows.

    Attributes:
        prefix: their beginning (``corpus.comment_prefix``); empty: there are none.
        num_lines: their number.
        columns: the names of the columns that they tell; empty: none.
        has_html: whether they say that the texts may hold HTML.
    """

    prefix: str = ""
    num_lines: int = 0
    columns: tuple[str, ...] = ()
    has_html: bool = False

    @property
    def description(self) -> str:
        """The lines in words."""
        lines = f"{self.num_lines} lines" if self.num_lines > 1 else "a line"
        told = f", name the columns {', '.join(self.columns)}" if self.columns else ""
        html = "; they say that texts may hold HTML, such as <br>, which stays as it is" if self.has_html else ""
        return f"head: {lines} that begin with {self.prefix!r} are no rows{told} (corpus.comment_prefix){html}"


NO_HEAD = HeadLines()


def find_layout(ending: str, lines: Sequence[str]) -> tuple[HeadLines, Dialect | None]:
    """The lines at the head of a table that are no rows, and the dialect of the lines behind them; None: it is no table.

    Args:
        ending: of the file's name, such as ``.csv``.
        lines: from the beginning of the file, without line ends.
    """
    mark = head_mark(lines[0]) if lines else ""
    head = list(takewhile(lambda line: line.lower().startswith(mark), lines[: MOST_HEAD_LINES + 1])) if mark else []
    if not head or len(head) > MOST_HEAD_LINES or len(head) == len(lines):
        return NO_HEAD, find_dialect(ending, lines)
    keys = _anki_keys(head) if mark == "#" else {}
    told = lines[0][len(mark) :] if mark == "sep=" else keys.get("separator", "")
    told = ANKI_DELIMITERS.get(told.lower(), told)
    rest = lines[len(head) :]
    dialect = (find_dialect(ending, rest, told) if told else None) or find_dialect(ending, rest)
    if dialect is None or dialect.format == "jsonl":
        return NO_HEAD, find_dialect(ending, lines)
    if mark == "sep=" or keys:
        columns = tuple(next(dialect.cells([keys["columns"]]))) if keys.get("columns") else ()
        named = columns if len(columns) == dialect.width else ()
        prefix = lines[0][: len(mark)]
        return HeadLines(prefix, len(head), named, keys.get("html", "").lower() == "true"), dialect
    return _comments(mark, head, dialect) or (NO_HEAD, find_dialect(ending, lines))


def _anki_keys(head: Sequence[str]) -> dict[str, str]:
    """What the head of an Anki export says; nothing where a line is of another kind."""
    keys = {key.strip().lower(): value for key, _, value in (line[1:].partition(":") for line in head)}
    return keys if set(keys) <= set(ANKI_KEYS) else {}


def _comments(mark: str, head: Sequence[str], dialect: Dialect) -> tuple[HeadLines, Dialect] | None:
    """The head, if its lines are no rows: of another width, or, the last one, names of the columns."""
    widths = [len(cells) for cells in dialect.cells(head)]
    if widths and dialect.width not in widths:
        return HeadLines(mark, len(head)), dialect
    if dialect.width in widths[:-1]:
        return None
    columns = tuple(cell.strip() for cell in next(dialect.cells([head[-1].removeprefix(mark)])))
    known = sum(map(is_known_name, columns))
    is_named = len(set(columns)) == len(columns) and known >= (len(columns) if len(columns) <= 2 else len(columns) / 2)
    return (HeadLines(mark, len(head), columns), dialect) if is_named else None
