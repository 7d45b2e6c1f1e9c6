"""Blocks of lines. The lines themselves decide where a block ends, so that added or removed lines change only the blocks around."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

ENDING_LINES = 1 << 12
"""One line in about this many ends its block."""
MOST_LINES, MOST_BYTES = 1 << 14, 8 << 20
"""A block ends here at the latest, or one line later."""


def iterate_line_blocks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """All lines in their order, in blocks of at least one.

    Args:
        lines: read once.
    """
    block, size = list[bytes](), 0
    for line in lines:
        block.append(line)
        size += len(line)
        if not zlib.crc32(line) % ENDING_LINES or len(block) >= MOST_LINES or size >= MOST_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block
