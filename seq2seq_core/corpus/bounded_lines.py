"""Lines of a stream in bounded memory: a file without line ends is not taken into memory whole."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator

LONGEST_LINE = 1 << 24
"""Most bytes of a line, its end among them."""
SKIPPED_BYTES = 1 << 20
"""Bytes of a longer line that are passed over at once."""

EMPTY_LINES = (b"\n", b"\r\n")
STREAK = 64
"""Empty lines behind one another from which on those behind them are counted at once."""


class BoundedLines(Iterable[bytes]):
    """The lines of a stream; of one that is longer than :data:`LONGEST_LINE` the first bytes.

    Args:
        stream: the bytes of a file.

    Attributes:
        num_cut: bytes that the present line has beyond those.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream, self.num_cut = stream, 0

    def __iter__(self) -> Iterator[bytes]:
        """The lines, or their beginnings."""
        readline, longest = self._stream.readline, LONGEST_LINE
        while line := readline(longest):
            self.num_cut = 0 if len(line) < longest or line.endswith(b"\n") else self._skip()
            yield line

    def pass_over(self, line: bytes) -> int:
        r"""Passes over the lines that follow and are the same, as long as the stream has them at hand; returns their number.

        It copies up to the stream's whole buffer, so it pays where many are expected.

        Args:
            line: ``\n`` or ``\r\n``.
        """
        passed, pattern = 0, re.compile(b"(?:%s)+" % line)
        while (found := pattern.match(self._stream.peek())) is not None:
            self._stream.read(found.end())
            passed += found.end() // len(line)
        return passed

    def _skip(self) -> int:
        """Passes over the rest of a line; returns its bytes."""
        passed = 0
        while part := self._stream.readline(SKIPPED_BYTES):
            passed += len(part)
            if part.endswith(b"\n"):
                break
        return passed


class EmptyLines:
    """What a reader does with empty lines that are no rows.

    Attributes:
        report: takes the number of the first of some empty lines behind one another, its text, and how many there are; the reader
            does not get them. None, at first: it gets them as all others.
    """

    def __init__(self) -> None:
        self.report: Callable[[int, str, int], None] | None = None
        self._next, self._streak = 0, 0

    def take(self, line: int, data: bytes, lines: BoundedLines | None) -> int:
        """Takes a line, and those that follow and are the same, if they are reported; returns how many.

        Args:
            line: its number.
            data: its bytes.
            lines: those that follow; None: they are not looked at.
        """
        if self.report is None or data not in EMPTY_LINES:
            return 0
        self._streak = self._streak + 1 if line == self._next else 1
        count = 1
        if lines is not None and self._streak >= STREAK:
            count += lines.pass_over(data)
            self._streak = 0 if count == 1 else self._streak  # looking costs as much as many lines: not again at once
        self._next = line + count
        self.report(line, data.decode(), count)
        return count
