"""Plain TSV and text in blocks: Arrow splits many lines at once. Anything odd in a file is left to the reader of lines.

Odd are the first bytes of other formats, NUL bytes, carriage returns that are no part of CRLF, bytes that are not UTF-8, very long
lines, and lines with another number of cells.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from seq2seq_core.corpus.bounded_lines import LONGEST_LINE
from seq2seq_core.corpus.formats import find_columns
from seq2seq_core.corpus.lines import HEAD_BYTES, UTF8_MARK, CorpusFile, head_faults, unpack
from seq2seq_core.corpus.monolingual import MonolingualReader
from seq2seq_core.corpus.reading import CorpusEntry, SplitReader
from seq2seq_core.errors import CorpusError

BLOCK_BYTES = 8 << 20


class OddFile(Exception):
    """The file needs the reader of lines."""


@dataclass(frozen=True)
class EntryEnd:
    """Where the reading of an entry ended.

    Attributes:
        sizes: of its files, in bytes.
        line: the number of the line that would have come next.
    """

    sizes: tuple[int, ...]
    line: int


@dataclass(frozen=True)
class Block:
    """Rows as Arrow arrays of one length.

    Attributes:
        line: their numbers.
        texts: ``source``, and ``target`` unless they are sentences.
        others: the other columns by their names in the file, of which any may be ``line``, ``source`` or ``target`` too.
    """

    line: Any
    texts: dict[str, Any]
    others: dict[str, Any]


def iterate_blocks(reader: SplitReader, entry: CorpusEntry, after: EntryEnd | None = None) -> Iterator[Block]:
    """The rows of an entry, block by block.

    Args:
        reader: of the split.
        entry: one of its entries.
        after: where an earlier reading ended, behind a line end; the rows behind it come. None: all rows.

    Raises:
        OddFile: the blocks so far are to be given up, and the entry read line by line.
    """
    corpus = reader.corpus
    is_monolingual = isinstance(reader, MonolingualReader)
    has_lines = entry.format == "text" or (entry.format == "tsv" and not is_monolingual)
    if not has_lines or reader.conversations is not None or (entry.format == "tsv" and corpus.comment_prefix):
        raise OddFile
    done = reader.bytes_read
    try:
        with ExitStack() as stack:
            raws = [stack.enter_context(io.FileIO(file.path)) for file in entry.files]
            for raw, size in zip(raws, after.sizes if after else (), strict=after is not None):
                raw.seek(size)
            streams = [stack.enter_context(unpack(file, raw)) for file, raw in zip(entry.files, raws, strict=True)]
            heads = zip(entry.files, streams, strict=True) if after is None else ()
            if any(head_faults(file, stream.peek(HEAD_BYTES)) for file, stream in heads):
                raise OddFile
            lines = [_iterate_line_arrays(stream, is_first=after is None) for stream in streams]
            line = after.line if after else 1
            for block in _split_tsv(reader, entry.files[0], lines[0], line) if entry.format == "tsv" else _align(lines, line):
                reader.bytes_read = done + sum(raw.tell() for raw in raws)
                yield block
    except CorpusError:
        raise OddFile from None
    finally:
        reader.bytes_read = done
    reader.bytes_read = done + sum(file.path.stat().st_size for file in entry.files)


def _iterate_line_arrays(stream: io.BufferedIOBase, is_first: bool = True) -> Iterator[Any]:
    """Arrow arrays of the lines of a stream, without their ends; of a file from its beginning the mark of UTF-8 is left out."""
    rest = b""
    while True:
        data = stream.read(BLOCK_BYTES)
        block, end, rest = (rest + data).rpartition(b"\n") if data else (rest, b"", b"")
        if end or (block and not data):
            if is_first:
                block, is_first = block.removeprefix(UTF8_MARK), False
            yield _split_lines(block, end)
        if not data:
            return
        if len(rest) > LONGEST_LINE:
            raise OddFile


def _split_lines(block: bytes, end: bytes) -> Any:
    import pyarrow
    import pyarrow.compute

    if b"\0" in block:
        raise OddFile
    if carriage_returns := (block + end).count(b"\r"):
        if carriage_returns != (block + end).count(b"\r\n"):
            raise OddFile
        block = (block + end).replace(b"\r\n", b"\n").removesuffix(b"\n") if end else block.replace(b"\r\n", b"\n")
    try:
        text = pyarrow.array([block.decode("utf-8")], type=pyarrow.large_string())
    except UnicodeDecodeError:
        raise OddFile from None
    lines = pyarrow.compute.split_pattern(text, "\n").values.cast(pyarrow.string())
    if len(block) >= LONGEST_LINE and pyarrow.compute.max(pyarrow.compute.binary_length(lines)).as_py() >= LONGEST_LINE - 1:
        raise OddFile
    return lines


def _split_tsv(reader: SplitReader, file: CorpusFile, blocks: Iterator[Any], line: int) -> Iterator[Block]:
    """The rows of a TSV file's blocks, the first of which begins with some line."""
    import numpy
    import pyarrow
    import pyarrow.compute

    corpus, table = reader.corpus, None
    if not corpus.header:
        table = find_columns(corpus, file, corpus.columns or [corpus.source_column, corpus.target_column])
    elif line > 1:
        with file.path.open("rb") as stream:
            (head,) = _iterate_line_arrays(io.BytesIO(stream.readline()))
        names = pyarrow.compute.split_pattern(head, corpus.delimiter or "\t")[0].as_py()
        table = find_columns(corpus, file, names, 1, is_header=True)
    for lines in blocks:
        cells = pyarrow.compute.split_pattern(lines, corpus.delimiter or "\t")
        if table is None:
            table = find_columns(corpus, file, cells[0].as_py(), 1, is_header=True)
            cells, line = cells[1:], 2
        width = len(table.names)
        if not pyarrow.compute.all(pyarrow.compute.equal(pyarrow.compute.list_value_length(cells), width), min_count=0).as_py():
            raise OddFile
        values = cells.flatten()
        columns = [values.take(pyarrow.array(numpy.arange(place, len(values), width))) for place in range(width)]
        texts = {"source": columns[table.source], "target": columns[table.target]}
        others = {name: columns[place] for place, name in enumerate(table.names) if place not in (table.source, table.target)}
        yield Block(pyarrow.array(numpy.arange(line, line + len(cells))), texts, others)
        line += len(cells)


def _align(files: list[Iterator[Any]], line: int) -> Iterator[Block]:
    """The lines of one or two files side by side, from some line on; of one file there is no target."""
    import numpy
    import pyarrow

    waiting = list[Any](next(blocks, None) for blocks in files)
    while all(array is not None for array in waiting):
        count = min(len(array) for array in waiting)
        texts = {name: array[:count] for name, array in zip(("source", "target"), waiting, strict=False)}
        yield Block(pyarrow.array(numpy.arange(line, line + count)), texts, {})
        line += count
        waiting = [
            array[count:] if len(array) > count else next(blocks, None) for array, blocks in zip(waiting, files, strict=True)
        ]
    if any(array is not None for array in waiting):
        raise OddFile
