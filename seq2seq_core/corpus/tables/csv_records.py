"""Records of CSV files, each with the line where it begins; a broken one ends where its own quotes end."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain

from seq2seq_core.corpus.file_faults.broken_lines import OnFault
from seq2seq_core.corpus.lines import CorpusFile

MAX_RECORD_CHARACTERS = 1 << 24
"""Most characters of a record: a quotation mark that is never closed must not take the whole file into memory."""


class _Record(Iterator[str]):
    """The lines of a file, with those of the present record.

    Attributes:
        lines: the numbered lines.
        line: where the record begins.
        kept: its lines so far.
        has_ended: whether the file ended inside it.
    """

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self.lines = lines
        self.line, self.kept, self.has_ended = 0, list[str](), False
        self._num_characters = 0

    def __next__(self) -> str:
        """The next line of the record.

        Raises:
            csv.Error: the record is too long.
        """
        for line, text in self.lines:
            self.line = self.line or line
            self.kept.append(text)
            self._num_characters += len(text)
            if self.is_too_long:
                raise csv.Error(f"it is longer than {MAX_RECORD_CHARACTERS:,} characters; is a quotation mark not closed?")
            return text
        self.has_ended = True
        raise StopIteration

    @property
    def is_too_long(self) -> bool:
        return self._num_characters > MAX_RECORD_CHARACTERS

    def begin(self) -> None:
        """Begins the next record."""
        self.line, self.kept, self._num_characters = 0, [], 0

    def readable_cells(self, delimiter: str) -> list[str]:
        """The cells of a broken record as far as they can be read, behind whose end the file then is.

        A cell with text behind its closing quotation mark has both, as most readers take it; one that does not end is left out.
        """
        cells = self._read(chain(tuple(self.kept), self), delimiter)
        if self.is_too_long:
            self._skip()
            return self._read(iter(self.kept[:-1] or [self.kept[0][:MAX_RECORD_CHARACTERS]]), delimiter)[:-1]
        return cells[:-1] if self.has_ended else cells

    @staticmethod
    def _read(lines: Iterator[str], delimiter: str) -> list[str]:
        """The cells of the first record as most readers take them; none where it cannot be read."""
        try:
            return next(csv.reader(lines, delimiter=delimiter))
        except csv.Error:
            return []

    def _skip(self) -> None:
        """Reads to the end of the record, where its number of quotation marks is even."""
        is_open = sum(text.count('"') for text in self.kept) % 2
        while is_open and (found := next(self.lines, None)):
            is_open ^= found[1].count('"') % 2


def csv_cells(
    file: CorpusFile, lines: Iterator[tuple[int, str]], delimiter: str, on_fault: OnFault, keeps_broken: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row of a CSV file, with the line where the row begins.

    Args:
        file: names the file in errors.
        lines: its numbered lines, from the first row (or header) on.
        delimiter: between cells.
        on_fault: receives the fault of a row; where it returns, the next row follows.
        keeps_broken: whether a broken row follows its fault, with the cells that can be read.
    """
    # The limit of the csv module is that of the process, and by default below what a cell may hold.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD_CHARACTERS))
    record = _Record(lines)
    reader = csv.reader(record, delimiter=delimiter, strict=True)
    while True:
        record.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            on_fault(
                file.fault(f"the row that begins here is not valid CSV ({error}); expected quotes as in RFC 4180", record.line)
            )
            cells = record.readable_cells(delimiter)
            if not keeps_broken:
                continue
        yield record.line, cells
