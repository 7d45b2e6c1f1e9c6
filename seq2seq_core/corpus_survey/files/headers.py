"""Whether the first row of a table names its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seq2seq_core.corpus_survey.files.file_names import is_known_name

FEWEST_WORDS, FEWEST_ROWS = 3, 20
"""Words of a sentence, and rows, by which a first row of single words is told from the others."""
_NAME = re.compile(r"[^\W\d][\w .:/-]{0,39}")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


def find_header(tables: Sequence[Sequence[Sequence[str]]]) -> tuple[bool, str]:
    """Whether the tables of one layout have a header, and why.

    Args:
        tables: the rows of each file, the first one included.
    """
    firsts = [tuple(rows[0]) for rows in tables if rows]
    if not firsts:
        return False, "there is no row"
    if len(firsts) > 1 and len(set(firsts)) == 1 and _could_be_names(firsts[0]):
        return True, "all files begin with the same row"
    names = [first for first in firsts if _is_header(first)]
    if len(names) == len(firsts):
        return True, f"the first row reads {', '.join(filter(None, firsts[0]))}"
    if len(firsts) == 1 and _could_be_names(firsts[0]) and _numbers_follow(tables[0]):
        return True, "numbers stand below the words of the first row"
    if len(firsts) == 1 and _could_be_names(firsts[0]) and _sentences_follow(tables[0]):
        return True, "sentences stand below the single words of the first row"
    return False, "the first row reads like any other"


def _is_header(first: Sequence[str]) -> bool:
    """Whether a row is made of usual names of columns: all of two, at least half of more."""
    known = sum(map(is_known_name, first))
    return _could_be_names(first) and known >= (len(first) if len(first) <= 2 else len(first) / 2)


def _could_be_names(first: Sequence[str]) -> bool:
    filled = [cell for cell in first if cell.strip()]  # the index column of pandas has no name
    return len(filled) >= len(first) - 1 and len(set(first)) == len(first) and all(_NAME.fullmatch(cell.strip()) for cell in filled)


def _numbers_follow(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a column holds numbers everywhere but in the first row."""
    below = [row for row in rows[1:200] if len(row) == len(rows[0])]
    return len(below) >= 2 and any(all(_NUMBER.fullmatch(row[place].strip()) for row in below) for place in range(len(rows[0])))


def _sentences_follow(rows: Sequence[Sequence[str]]) -> bool:
    """Whether two columns hold sentences everywhere but in the first row, whose cells are single words."""
    if any(len(cell.split()) > 1 for cell in rows[0]):
        return False
    below = [row for row in rows[1:2_000] if len(row) == len(rows[0])]
    columns = ([row[place] for row in below if row[place].strip()] for place in range(len(rows[0])))
    sentences = [cells for cells in columns if sum(len(cell.split()) >= FEWEST_WORDS for cell in cells) > 0.98 * len(cells)]
    return len(below) >= FEWEST_ROWS and sum(len(cells) > len(below) / 2 for cells in sentences) >= 2
