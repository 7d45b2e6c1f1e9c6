"""Lines of a stream in bounded memory: a file without line ends is not taken into memory whole."""

from __future__ import annotations

import io
from collections.abc import Iterator

LONGEST_LINE = 1 << 24
"""Most bytes of a line, its end among them."""
SKIPPED_BYTES = 1 << 20
"""Bytes of a longer line that are passed over at once."""


class BoundedLines(Iterator[bytes]):
    """The lines of a stream; of one that is longer than :data:`LONGEST_LINE` the first bytes.

    Args:
        stream: the bytes of a file.

    Attributes:
        num_cut: bytes that the present line has beyond those.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream, self.num_cut = stream, 0

    def __next__(self) -> bytes:
        """The next line, or its beginning."""
        self.num_cut = 0
        line = self._stream.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        part = line
        while len(part) in (SKIPPED_BYTES, LONGEST_LINE) and not part.endswith(b"\n"):
            part = self._stream.readline(SKIPPED_BYTES)
            self.num_cut += len(part)
        return line
