"""The lines of prepared files, made and counted by the database, page by page in the order of the corpus."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from seq2seq_core.corpus.pairs import RECORDING, SOURCE, SOURCE_LANGUAGE, TARGET, TARGET_LANGUAGE, TEXT
from seq2seq_core.corpus.preparation.funnel import Funnel
from seq2seq_core.corpus.preparation.split_rows import SplitRows
from seq2seq_core.corpus.rows.row_parts import count_rows
from seq2seq_core.corpus.rows.row_store import literal, view_name

PAGE_BYTES, PAGE_ROWS = 64 << 20, 200_000
"""Size of the texts, and number of the rows, whose lines are in memory at a time."""
EXCHANGED_NAMES = {
    SOURCE: TARGET,
    TARGET: SOURCE,
    SOURCE_LANGUAGE: TARGET_LANGUAGE,
    TARGET_LANGUAGE: SOURCE_LANGUAGE,
}


class Writable(Protocol):
    """What bytes are written to."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Adds bytes at the end."""


@dataclass(frozen=True)
class Page:
    """Neighbouring rows of a split.

    Attributes:
        table: Arrow: ``position``, ``line``, ``exchanged`` (the line with the sides exchanged, NULL where it is not written),
            ``source_characters``, ``target_characters``, ``seconds``, ``raw_source``; of targets that are recordings also
            ``recording_name``.
    """

    table: Any

    def column(self, name: str) -> list[Any]:
        """The values of a column."""
        values: list[Any] = self.table[name].to_pylist()
        return values


class RowLines:
    """Makes the lines of a split's rows.

    Args:
        rows: of the split.
    """

    def __init__(self, rows: SplitRows) -> None:
        self.rows, self._names = rows, list(rows.store.columns[rows.split])
        self._order = f"ordered_cells_{view_name(rows.split)}"
        if self._names:
            rows.store.add_function(self._order, partial(_order_cells, self._names), ["VARCHAR", "VARCHAR[]"], "VARCHAR")

    def pages(self, split: str, exchanged: str = "", first: int = 0) -> Iterator[Page]:
        """The rows that are left and fall into a split, in the order of the corpus.

        Args:
            split: the rows' own split, or that into which they are carved.
            exchanged: SQL that is true of a row that is also written with its sides exchanged; empty: none is.
            first: the position of the first row.
        """
        rows = self.rows
        exchanged_line = f"CASE WHEN {exchanged} THEN {self._line(EXCHANGED_NAMES)} END" if exchanged else "NULL::VARCHAR"

        name = ", recording_name" if rows.kind == "spoken" else ""

        def statement(texts: str) -> str:
            return (
                f"SELECT position, {self._line({})} AS line, {exchanged_line} AS exchanged, length(source) AS source_characters, "
                f"length(target) AS target_characters, seconds, raw_source{name} FROM {texts} ORDER BY position"
            )

        if rows.store.parts is not None and not exchanged:  # what is exchanged is looked up among the keys of all rows
            yield from map(Page, rows.texts_of_left(split, statement, first))
            return
        page_rows = count_rows(rows.store, rows.split, PAGE_ROWS, PAGE_BYTES, first)
        for start in range(first, rows.store.counts[rows.split], page_rows):
            within = f"WHERE position >= {start} AND position < {start + page_rows}"
            yield Page(rows.store.fetch_table(statement(rows.texts(f"SELECT position FROM ({rows.left(split)}) {within}", within))))

    def _line(self, renamed: dict[str, str]) -> str:
        """A row's line in SQL.

        Args:
            renamed: the names whose values stand under others' names.
        """
        if self.rows.kind == "sentence":
            return f"{literal('{' + _key(TEXT))} || json_text(source) || '}}' || chr(10)"
        named = {SOURCE: "source", TARGET: "target"}
        named |= {RECORDING: "recording_name"} if self.rows.kind == "spoken" else {}
        named |= {self.rows.digest_column: "identity"} if self.rows.digest_column else {}
        columns = {name: self.rows.store.column(self.rows.split, name) for name in self._names}
        values = named | columns
        values |= {name: values[other] for name, other in renamed.items() if name in values and other in values}
        first = " || ', ' || ".join(f"{literal(_key(name))} || json_text({values[name]})" for name in named)
        others = [f"{literal(', ' + _key(name))} || json_text({values[name]})" for name in columns]
        cells = ", ".join(values[name] for name in columns)
        joined = f"concat({', '.join(others)})"
        rest = f"CASE WHEN layout IS NULL THEN {joined} ELSE {self._order}(layout, [{cells}]) END" if others else "''"
        return f"'{{' || {first} || {rest} || '}}' || chr(10)"


def _order_cells(names: list[str], layout: str, cells: list[str | None]) -> str:
    """The other columns of a row in its own order, each after a comma."""
    values = dict(zip(names, cells, strict=True))
    return "".join(f", {_key(name)}{json.dumps(values[name], ensure_ascii=False)}" for name in json.loads(layout))


def _key(name: str) -> str:
    return f"{json.dumps(name, ensure_ascii=False)}: "


def write_pages(
    pages: Iterator[Page], file: Writable, funnel: Funnel, keeps: Callable[[dict[str, str]], bool] | None = None
) -> Iterator[tuple[Page, list[int]]]:
    """Writes the lines of a split; after each page, the page, and the positions of the rows that were left out.

    Args:
        pages: of a split.
        file: receives the lines.
        funnel: receives the counts.
        keeps: asked about each pair in turn, whether it is written; None: all are.
    """
    for page in pages:
        if keeps is None:
            _write_all(page.table, file, funnel)
            yield page, []
            continue
        left_out = list[int]()
        for position, line, exchanged in zip(*map(page.column, ("position", "line", "exchanged")), strict=True):
            for text in (line, exchanged):
                if text is None:
                    continue
                pair = json.loads(text)
                if keeps(pair):
                    file.write(text.encode())
                    funnel.count_written(pair[SOURCE], pair[TARGET])
                    funnel.exchanged += text is exchanged
                elif text is line:
                    left_out.append(position)
        yield page, left_out


def _write_all(table: Any, file: Writable, funnel: Funnel) -> None:
    """Writes the lines of a page without making texts of Python of them."""
    import pyarrow.compute

    lines, characters = table["line"], [table["source_characters"], table["target_characters"]]
    profiles = [funnel.source_characters, funnel.target_characters]
    for profile, lengths in zip(profiles, characters, strict=True):
        profile.add_counts(_count(lengths))
    funnel.rows_out += len(lines)
    if table["exchanged"].null_count < len(lines):
        is_written = pyarrow.compute.is_valid(table["exchanged"])
        lines = pyarrow.compute.binary_join_element_wise(lines, table["exchanged"], "", null_handling="skip")
        for profile, lengths in zip(profiles, reversed(characters), strict=True):
            profile.add_counts(_count(lengths.filter(is_written)))
        added = pyarrow.compute.sum(is_written).as_py() or 0
        funnel.rows_out, funnel.exchanged = funnel.rows_out + added, funnel.exchanged + added
    for chunk in lines.cast(pyarrow.large_string()).chunks:
        if len(chunk):
            _, offsets, data = chunk.buffers()
            places = memoryview(offsets).cast("q")
            file.write(memoryview(data)[places[chunk.offset] : places[chunk.offset + len(chunk)]])


def _count(lengths: Any) -> dict[int, int]:
    import pyarrow.compute

    counted = pyarrow.compute.value_counts(lengths)
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))
