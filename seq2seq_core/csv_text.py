"""CSV by RFC 4180, as every table of the project is written.

Rows end in LF. A cell with a comma, a quotation mark, CR or LF is quoted: readers such as pandas, DuckDB and Excel end a row at an
unquoted CR too. A text is written as it is, even one that begins like a formula (``=``, ``+``, ``-``, ``@``): a table must hold the
text that was scored. Import a table as text to look at it in a spreadsheet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NEEDS_QUOTES = re.compile('[",\r\n]|^$')


def format_csv(rows: Iterable[Iterable[object]]) -> str:
    """The text of a table.

    Args:
        rows: the cells of each row, the column names first; None is an empty cell.
    """
    return "".join(_format_row(row) for row in rows)


def _format_row(row: Iterable[object]) -> str:
    cells = ["" if value is None else str(value) for value in row]
    # An empty line would be no row: a single empty cell is quoted.
    return ",".join(_quote(cell) if cell or len(cells) == 1 else "" for cell in cells) + "\n"


def _quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell
