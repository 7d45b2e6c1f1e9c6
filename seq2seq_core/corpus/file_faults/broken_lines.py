"""Lines that cannot be read: a reader raises the first one, or goes on behind it for a caller that wants all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

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


@dataclass
class _BrokenFile:
    """The faults of one file.

    Attributes:
        first: the first one.
        num_lines: number of its broken lines.
        shown: the numbers of the first broken lines.
    """

    first: CorpusError
    num_lines: int = 0
    shown: list[int] = field(default_factory=list)


class BrokenLines:
    """Collects the broken lines of files: the first fault of each file in full, of the others the number.

    It is an :data:`OnFault`.
    """

    def __init__(self) -> None:
        self._files: dict[Path, _BrokenFile] = {}
        self._num_lines = 0
        self._is_cut = False

    def __call__(self, error: CorpusError) -> None:
        """Notes the fault of a line; of several faults of a line, the first.

        Raises:
            CorpusError: there are too many; :meth:`collect` ends then.
        """
        file = self._files.setdefault(error.path, _BrokenFile(error))
        if error.line is None or file.shown[-1:] == [error.line]:
            return
        file.num_lines += 1
        file.shown = [*file.shown[:MOST_SHOWN], error.line]  # the last one tells whether the next fault is of the same line
        self._num_lines += 1
        if self._num_lines == MOST_BROKEN:
            self._is_cut = True
            raise _TooManyBroken("too many broken lines", error.path, error.line)

    def collect(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items of a reader that was given this object; the reader's last fault is noted, not raised."""
        try:
            yield from items
        except _TooManyBroken:
            return
        except CorpusError as error:
            self(error)

    def faults(self) -> list[CorpusError]:
        """The first fault of each file, followed by the number of broken lines where there are more."""
        found: list[CorpusError] = []
        for path, file in self._files.items():
            found.append(file.first)
            if file.num_lines > 1:
                places = ", ".join(map(str, file.shown[:MOST_SHOWN])) + (", …" if file.num_lines > MOST_SHOWN else "")
                least = "at least " if self._is_cut else ""
                found.append(CorpusError(f"{least}{file.num_lines:,} lines cannot be read: {places}", path))
        return found
