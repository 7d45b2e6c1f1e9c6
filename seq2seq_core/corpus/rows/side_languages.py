"""The languages that the sides of a corpus are said to be in, and the rows with a side in another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seq2seq_core.artifacts import MONOLINGUAL
from seq2seq_core.config.section import Side
from seq2seq_core.corpus.contracts import is_monolingual, spread_step
from seq2seq_core.corpus.language_identification import MOST_CHARACTERS, is_other
from seq2seq_core.corpus.rows.row_store import RowStore, literal, rows_table

BATCH_ROWS = 1000


def side_languages(store: RowStore, split: str, declared: Mapping[Side, str], sides: Sequence[Side]) -> dict[str, str]:
    """By side: the SQL of its language, a constant or a column; sides whose language nobody says are missing.

    Args:
        store: the rows; the split is loaded.
        split: its name.
        declared: ``corpus.languages``.
        sides: the columns of the split's texts.
    """
    if is_monolingual(split):
        return {"source": literal(split.removeprefix(f"{MONOLINGUAL}."))}
    found = dict[str, str]()
    for side in sides:
        if side in declared:
            found[side] = literal(declared[side])
        elif f"{side}_language" in store.columns[split]:
            found[side] = store.column(split, f"{side}_language")
    return found


def find_other_languages(store: RowStore, split: str, languages: Mapping[str, str], most_rows: int) -> list[int]:
    """The positions of rows with a side that is surely in another language than it is said to be.

    Args:
        store: the rows.
        split: its name.
        languages: of :func:`side_languages`.
        most_rows: rows that are looked at, evenly spread; 0: all.
    """
    step = spread_step(store.counts[split], most_rows)
    texts = (f"left(coalesce({side}, ''), {MOST_CHARACTERS}), coalesce({said}, '')" for side, said in languages.items())
    looked_at = f"SELECT position, {', '.join(texts)} FROM {rows_table(split)} WHERE position % {step} = 0"
    found, positions = store.connection.execute(looked_at), list[int]()
    while rows := found.fetchmany(BATCH_ROWS):
        positions += [row[0] for row in rows if any(map(is_other, row[1::2], row[2::2]))]
    return positions
