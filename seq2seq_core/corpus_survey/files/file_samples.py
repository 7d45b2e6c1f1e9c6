"""Lines of a text file, as many as tell what the file is like, in bounded time whatever its size."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from seq2seq_core.corpus.file_faults.broken_lines import BrokenLines
from seq2seq_core.corpus.lines import HEAD_BYTES as READER_BYTES
from seq2seq_core.corpus.lines import CorpusFile, iterate_lines, unpack, without_line_end
from seq2seq_core.errors import UserError

HEAD_BYTES = 8 << 20
"""A file up to this size (unpacked) is read as a whole."""
FEWEST_BYTES, FOLDER_BYTES = 64 << 10, 160 << 20
"""Of many files less is read of each: this much of all together, but never less than this of one."""
NUM_BLOCKS, BLOCK_BYTES = 24, 128 << 10
"""Of a larger file, blocks at even distances are read besides its beginning."""


@dataclass(frozen=True)
class TextSample:
    """Lines of a file, without their line ends.

    Attributes:
        head: the lines of its beginning.
        others: lines from other places; empty where the head is the whole file.
        num_lines: lines of the whole file, an estimate unless the head is the whole.
        is_whole: whether the head is the whole file.
    """

    head: list[str]
    others: list[str]
    num_lines: int
    is_whole: bool


def head_bytes(num_files: int) -> int:
    """Bytes to read at the beginning of each file.

    Args:
        num_files: number of files to be sampled.
    """
    return min(HEAD_BYTES, max(FEWEST_BYTES, FOLDER_BYTES // max(1, num_files)))


def read_sample(file: CorpusFile, most_bytes: int = HEAD_BYTES) -> TextSample:
    """A sample of a text file.

    Args:
        file: the file; ``.gz`` is unpacked.
        most_bytes: bytes (unpacked) to read at its beginning.

    Raises:
        UserError: the file is empty, has line ends that the reader refuses, is binary or not UTF-8; counts the broken lines of a
            file that is read as a whole.
    """
    with io.FileIO(file.path) as raw, unpack(file, raw) as stream:
        head = stream.read(most_bytes)
        is_whole = not stream.peek(1)
        packed = raw.tell() if file.is_compressed else len(head)
    complete = head if is_whole or b"\n" not in head else head[: head.rfind(b"\n") + 1]
    stream = io.BufferedReader(io.BytesIO(complete), READER_BYTES)
    broken = BrokenLines()
    lines = [without_line_end(text) for _, text in broken.collect(iterate_lines(file, stream, broken))]
    if faults := broken.faults():
        raise UserError("\n".join(map(str, faults if is_whole else faults[:1])))
    if is_whole:
        return TextSample(lines, [], len(lines), True)
    num_lines = int(len(lines) * file.path.stat().st_size / max(1, packed * len(complete) / len(head)))
    return TextSample(lines, [] if file.is_compressed else list(_read_blocks(file, most_bytes)), num_lines, False)


def _read_blocks(file: CorpusFile, start: int) -> Iterator[str]:
    """The complete lines of some blocks behind the head; lines that are not UTF-8 are left to the reader."""
    size = file.path.stat().st_size
    distance = max(BLOCK_BYTES, (size - start) // NUM_BLOCKS)
    with file.path.open("rb") as stream:
        for place in range(start, size - BLOCK_BYTES, distance):
            stream.seek(place)
            for line in stream.read(BLOCK_BYTES).split(b"\n")[1:-1]:
                yield line.removesuffix(b"\r").decode("utf-8", errors="replace")
