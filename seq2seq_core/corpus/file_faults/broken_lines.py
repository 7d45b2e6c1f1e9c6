"""Lines that cannot be read: a reader raises the first one, or goes on behind it for a caller that wants all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from seq2seq_core.errors import CorpusError

Item = TypeVar("Item")

OnFault = Callable[[CorpusError], None]
"""Receives the fault of a line; the reader goes on with the next line where it returns."""
MOST_BROKEN = 10_000
"""Reading ends at this many broken lines."""
MOST_SHOWN = 10
"""Line numbers that are shown of each file."""


def raise_fault(error: CorpusError) -> None:
    """Raises the fault: the reader ends at the first broken line."""
    raise error


class _TooManyBroken(CorpusError):
    """There are so many broken lines that reading on tells nothing new."""


class HasLine(Protocol):
    """What begins at a line of a file, such as a row."""

    @property
    def line(self) -> int:
        """The 1-based number."""


Row = TypeVar("Row", bound=HasLine)


@dataclass
class _BrokenFile:
    """The faults of one file.

    Attributes:
        first: the first ones.
        num_lines: number of its broken lines.
        shown: the numbers of the first broken lines.
    """

    first: list[CorpusError] = field(default_factory=list)
    num_lines: int = 0
    shown: list[int] = field(default_factory=list)


class BrokenLines:
    """Collects the broken lines of files: the first faults of each file in full, of the others the number.

    It is an :data:`OnFault`.

    Args:
        num_first: number of the faults of each file that are told in full.
        most: reading ends at this many broken lines.

    Attributes:
        num_lines: number of the broken lines so far.
        is_cut: whether reading has ended before the end of the files.
    """

    def __init__(self, num_first: int = 1, most: int = MOST_BROKEN) -> None:
        self._files: dict[Path, _BrokenFile] = {}
        self._num_first, self._most = num_first, most
        self._last_line = 0
        self.num_lines = 0
        self.is_cut = False

    def __call__(self, error: CorpusError) -> None:
        """Notes the fault of a line; of several faults of a line, the first.

        Raises:
            CorpusError: there are too many; :meth:`collect` ends then.
        """
        file = self._files.setdefault(error.path, _BrokenFile())
        if error.line is not None and file.shown[-1:] == [error.line]:
            return
        if len(file.first) < self._num_first:
            file.first.append(error)
        if error.line is None:
            return
        file.num_lines += 1
        file.shown = [*file.shown[:MOST_SHOWN], error.line]  # the last one tells whether the next fault is of the same line
        self._last_line = error.line
        self.num_lines += 1
        if self.num_lines == self._most:
            raise _TooManyBroken("too many broken lines", error.path, error.line)

    def collect(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items of a reader that was given this object; the reader's last fault is noted, not raised."""
        try:
            yield from items
        except _TooManyBroken:
            self.is_cut = True
        except CorpusError as error:
            self.is_cut = True
            self(error)

    def set_aside(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows of a reader that was given this object, without those of broken lines.

        Args:
            rows: in the order of their lines. A reader notes the fault of a line before it gives the line's row, if it gives one.
        """
        return (row for row in rows if row.line > self._last_line)

    def is_accepted(self, num_rows: int, most_fraction: float) -> bool:
        """Whether the broken lines may be set aside: reading went on to the end, and they are few.

        Args:
            num_rows: number of the rows that could be read.
            most_fraction: the largest share of all lines.
        """
        return not self.is_cut and self.num_lines <= most_fraction * (num_rows + self.num_lines)

    def faults(self) -> list[CorpusError]:
        """The first faults of each file, followed by the number of broken lines where there are several."""
        found: list[CorpusError] = []
        for path, file in self._files.items():
            found += file.first
            if file.num_lines > 1:
                places = ", ".join(map(str, file.shown[:MOST_SHOWN])) + (", …" if file.num_lines > MOST_SHOWN else "")
                least = "at least " if self.num_lines == self._most else ""
                found.append(CorpusError(f"{least}{file.num_lines:,} lines cannot be read: {places}", path))
        return found
