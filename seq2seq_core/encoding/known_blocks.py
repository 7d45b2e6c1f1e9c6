"""The blocks of a prepared file, most of which an earlier run has seen: their ends are known, so their lines need no look.

A file begins with the blocks of an earlier run as long as its bytes have their digests. Where they have not, the lines say where
the block ends, as in :mod:`seq2seq_core.tokenization.line_blocks`; the next known block is tried behind it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.corpus.pairs import open_prepared
from seq2seq_core.encoding.block_encoding import block_key
from seq2seq_core.reproducibility import digest
from seq2seq_core.tokenization.kept_arrays import KeptArrays
from seq2seq_core.tokenization.line_blocks import iterate_line_blocks


@dataclass(frozen=True)
class PreparedBlock:
    """Neighbouring lines of a prepared file.

    Attributes:
        key: digest of all that their encoding depends on.
        content: their bytes.
        first: the number of the first line, from 1.
        num_lines: how many they are.
    """

    key: str
    content: bytes
    first: int
    num_lines: int

    def lines(self) -> list[bytes]:
        """The lines, each with its end."""
        return io.BytesIO(self.content).readlines()


def iterate_prepared_blocks(path: Path, key: str, store: KeptArrays) -> Iterator[PreparedBlock]:
    """The blocks of a prepared file, in their order.

    Args:
        path: the file.
        key: of their encoder.
        store: has the list of blocks of an earlier run, and receives that of this one once all are read.

    Raises:
        MissingInput: the file does not exist.
    """
    list_key = digest([key, "list of blocks", path.name])
    known, first, found = _KnownBlocks(store.find(list_key)), 1, list[tuple[str, int, int]]()
    with open_prepared(path) as file:
        while (block := known.read(file, key, first) or _read_lines(file, key, first)) is not None:
            first += block.num_lines
            known.go_behind(block.key)
            found.append((block.key, len(block.content), block.num_lines))
            yield block
    if found:
        keys, sizes, counts = zip(*found, strict=True)
        digests = np.frombuffer(bytes.fromhex("".join(keys)), dtype=np.uint8)
        store.add(list_key, {"keys": digests.reshape(len(keys), -1), "sizes": np.array(sizes), "lines": np.array(counts)})


class _KnownBlocks:
    """The list of blocks of an earlier run, and the place of the one to try next."""

    def __init__(self, arrays: dict[str, NDArray[Any]] | None) -> None:
        self._keys, self._sizes, self._lines, self._next = list[str](), list[int](), list[int](), 0
        if arrays is not None:
            self._keys = [row.tobytes().hex() for row in arrays["keys"]]
            self._sizes, self._lines = arrays["sizes"].tolist(), arrays["lines"].tolist()
        self._places = {key: place for place, key in enumerate(self._keys)}

    def read(self, file: BinaryIO, key: str, first: int) -> PreparedBlock | None:
        """The next block, if it is the known one; None: it is another, and nothing is read.

        Args:
            file: at the beginning of a block.
            key: of the encoder.
            first: the number of the next line.
        """
        if self._next >= len(self._keys):
            return None
        start, own_key = file.tell(), self._keys[self._next]
        content = file.read(self._sizes[self._next])
        # The last block may have ended with its file, and goes on where that has grown.
        is_whole = self._next + 1 < len(self._keys) or not file.peek(1)  # type: ignore[attr-defined]  # of a buffered reader
        if is_whole and block_key(key, [content]) == own_key:
            return PreparedBlock(own_key, content, first, self._lines[self._next])
        file.seek(start)
        return None

    def go_behind(self, key: str) -> None:
        """Continues behind a block; one that is not known may stand in place of the one that was tried."""
        self._next = self._places.get(key, self._next) + 1


def _read_lines(file: BinaryIO, key: str, first: int) -> PreparedBlock | None:
    """The next block, whose lines say where it ends; None: there is none."""
    lines = next(iterate_line_blocks(file), None)
    return None if lines is None else PreparedBlock(block_key(key, lines), b"".join(lines), first, len(lines))
