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


def report_fault(on_fault: OnFault, path: str, line: int, describe: Callable[[int], CorpusError], num_lines: int = 1) -> None:
    """Reports the same fault of lines that follow one another; an error is made only where it is told.

    Args:
        on_fault: receives the fault of each line.
        path: of the file, as errors show it.
        line: the first line.
        describe: gives the error of a line.
        num_lines: number of the lines.

    Raises:
        CorpusError: ``on_fault`` raises it.
    """
    if isinstance(on_fault, BrokenLines):
        on_fault.add(path, line, num_lines, describe)
        return
    for place in range(line, line + num_lines):
        on_fault(describe(place))


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
        last_line: the number of the last one.
    """

    first: list[CorpusError] = field(default_factory=list)
    num_lines: int = 0
    shown: list[int] = field(default_factory=list)
    last_line: int = 0


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
        self._files: dict[str, _BrokenFile] = {}
        self._num_first, self._most = num_first, most
        self._last_line = 0
        self.num_lines = 0
        self.is_cut = False

    def __call__(self, error: CorpusError) -> None:
        """Notes the fault of a line; of several faults of a line, the first.

        Raises:
            CorpusError: there are too many; :meth:`collect` ends then.
        """
        file = self._files.setdefault(error.shown_path, _BrokenFile())
        if error.line is not None and file.last_line == error.line:
            return
        if len(file.first) < self._num_first:
            file.first.append(error)
        if error.line is not None:
            self._count(file, error.shown_path, error.line, 1)

    def add(self, path: str, line: int, num_lines: int, describe: Callable[[int], CorpusError]) -> None:
        """Notes the same fault of lines that follow one another, and describes it no more often than it is told.

        Args:
            path: of the file, as errors show it.
            line: the first line.
            num_lines: number of the lines.
            describe: gives the error of a line.

        Raises:
            CorpusError: there are too many; :meth:`collect` ends then.
        """
        file = self._files.setdefault(path, _BrokenFile())
        while num_lines and (len(file.first) < self._num_first or file.last_line == line):
            self(describe(line))
            line, num_lines = line + 1, num_lines - 1
        if num_lines:
            self._count(file, path, line, num_lines)

    def _count(self, file: _BrokenFile, path: str, line: int, num_lines: int) -> None:
        num_lines = min(num_lines, self._most - self.num_lines)
        file.num_lines += num_lines
        file.last_line = self._last_line = line + num_lines - 1
        if (room := MOST_SHOWN - len(file.shown)) > 0:
            file.shown += range(line, line + min(room, num_lines))
        self.num_lines += num_lines
        if self.num_lines == self._most:
            raise _TooManyBroken("too many broken lines", path, file.last_line)

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
                places = ", ".join(map(str, file.shown)) + (", …" if file.num_lines > MOST_SHOWN else "")
                least = "at least " if self.num_lines == self._most else ""
                found.append(CorpusError(f"{least}{file.num_lines:,} lines cannot be read: {places}", Path(path)))
        return found
