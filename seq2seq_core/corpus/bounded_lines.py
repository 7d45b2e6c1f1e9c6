"""Lines of a stream in bounded memory: a file without line ends is not taken into memory whole."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

LONGEST_LINE = 1 << 24
"""Most bytes of a line, its end among them."""
SKIPPED_BYTES = 1 << 20
"""Bytes of a longer line that are passed over at once."""


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

    def _skip(self) -> int:
        """Passes over the rest of a line; returns its bytes."""
        passed = 0
        while part := self._stream.readline(SKIPPED_BYTES):
            passed += len(part)
            if part.endswith(b"\n"):
                break
        return passed
