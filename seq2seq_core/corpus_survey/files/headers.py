"""Whether the first row of a table names its columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from seq2seq_core.corpus_survey.files.file_names import is_known_name, named_pair

FEWEST_WORDS, FEWEST_ROWS = 3, 20
"""Words of a sentence, and rows, by which a first row of single words is told from the others."""
FEWEST_OTHERS = 100
"""Rows by which a first row of words that never come again is told from the others."""
MOST_CHARACTERS, MOST_WORDS = 40, 4
"""Length of a column's name."""
_NAME = re.compile(r"[^\W\d][\w .:/-]{0,39}")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


def find_header(tables: Sequence[Sequence[Sequence[str]]]) -> tuple[bool, str]:
    """Whether the tables of one layout have a header, and why.

    Args:
        tables: the rows of each file, the first one included.
    """
    filled = [rows for rows in tables if rows]
    firsts = [tuple(rows[0]) for rows in filled]
    if not firsts:
        return False, "there is no row"
    # Files that begin with the same rows have rows in common: that says nothing of the first one.
    is_alone = len(firsts) == 1 or _begin_alike(filled)
    if not is_alone and len(set(firsts)) == 1 and _could_be_names(firsts[0], may_repeat=True) and not _comes_again(filled):
        return True, "all files begin with the same row"
    names = [first for first in firsts if _is_header(first)]
    if len(names) == len(firsts) or all(map(_repeats_names, firsts)):
        return True, f"the first row reads {', '.join(filter(None, firsts[0]))}"
    longest = max(filled, key=len)
    if is_alone and _could_be_names(firsts[0]) and _numbers_follow(longest):
        return True, "numbers stand below the words of the first row"
    if is_alone and _could_be_names(firsts[0]) and _sentences_follow(longest):
        return True, "sentences stand below the single words of the first row"
    if is_alone and _is_short(firsts[0]) and _is_unlike_all(longest):
        return True, "no word of the first row comes again, unlike those of every other row"
    return False, "the first row reads like any other"


def _begin_alike(tables: Sequence[Sequence[Sequence[str]]]) -> bool:
    """Whether all tables begin with the same two rows."""
    return len({tuple(map(tuple, rows[:2])) for rows in tables}) == 1 and len(tables[0]) > 1


def _comes_again(tables: Sequence[Sequence[Sequence[str]]]) -> bool:
    """Whether a cell of the first row is one of the texts below it."""
    first = tables[0][0]
    return any(
        cell.strip() and any(row[place] == cell for rows in tables for row in rows[1:] if len(row) == len(first))
        for place, cell in enumerate(first)
    )


def _is_short(first: Sequence[str]) -> bool:
    return all(cell.strip() and len(cell) <= MOST_CHARACTERS and len(cell.split()) <= MOST_WORDS for cell in first)


def _repeats_names(first: Sequence[str]) -> bool:
    """Whether a row is made of usual names of columns, one of them twice."""
    return len(set(first)) < len(first) and all(map(is_known_name, first)) and named_pair(first) is not None


def _is_unlike_all(rows: Sequence[Sequence[str]]) -> bool:
    """Whether no word of the first row comes again in its column, and each of many other rows has one that does."""
    rows = [row for row in rows[:2_000] if len(row) == len(rows[0])]
    counts = [Counter(word for row in rows for word in row[place].split()) for place in range(len(rows[0]))]

    def is_unlike(row: Sequence[str]) -> bool:
        return all(own[word] == 1 for own, cell in zip(counts, row, strict=True) for word in cell.split())

    return len(rows) > FEWEST_OTHERS and is_unlike(rows[0]) and not any(map(is_unlike, rows[1:]))


def _is_header(first: Sequence[str]) -> bool:
    """Whether a row is made of usual names of columns: all of two, at least half of more."""
    known = sum(map(is_known_name, first))
    return _could_be_names(first) and known >= (len(first) if len(first) <= 2 else len(first) / 2)


def _could_be_names(first: Sequence[str], may_repeat: bool = False) -> bool:
    filled = [cell for cell in first if cell.strip()]  # the index column of pandas has no name
    is_filled = len(filled) >= len(first) - 1 and (may_repeat or len(set(first)) == len(first))
    return is_filled and all(_NAME.fullmatch(cell.strip()) and len(cell.split()) <= MOST_WORDS for cell in filled)


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
