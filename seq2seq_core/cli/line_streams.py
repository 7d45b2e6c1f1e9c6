"""Line input and output of ``s2s predict`` and ``s2s score``.

Input must be UTF-8, with or without a byte-order mark. Only LF ends a line. An output file appears complete or not at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from seq2seq_core.corpus.lines import CorpusFile, decode_lines
from seq2seq_core.errors import CorpusError, UserError
from seq2seq_core.redaction.text_exits import data_stream


@contextmanager
def open_sources(path: Path | None, expected: str = "one source a line") -> Iterator[BinaryIO]:
    """Opens a file, or standard input, as bytes.

    Args:
        path: the file; None for standard input.
        expected: the expected content, for messages.

    Raises:
        UserError: the file does not exist or is a folder.
    """
    if path is None:
        yield sys.stdin.buffer
        return
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; expected a text file with {expected}") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; expected a text file with {expected}") from None
    with stream:
        yield stream


@contextmanager
def open_targets(path: Path | None) -> Iterator[Callable[[str], object]]:
    """Opens a file, or standard output for None; gives a function that writes text.

    The file gets its name only when the block ends without an error.
    """
    if path is None:
        # All scripts must be printable in every locale; a terminal shows each line at once.
        stream = data_stream()
        stream.reconfigure(encoding="utf-8", line_buffering=stream.isatty())  # type: ignore[attr-defined]
        yield stream.write
        stream.flush()
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream.write
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_chunks(stream: Iterable[bytes], path: Path | None, chunk_lines: int) -> Iterator[list[str]]:
    """Reads lists of at most ``chunk_lines`` lines, without line ends.

    Args:
        stream: lines as bytes, each ended by LF; a byte-order mark of UTF-8 at the start is no text.
        path: the file name in errors; None for standard input.
        chunk_lines: lines of a list; the last list may be shorter.

    Raises:
        CorpusError: a line is not UTF-8, or has a NUL byte.
    """
    shown = str(path or "standard input")
    file = CorpusFile(path or Path(shown), path.name if path else "", shown, "" if path else "FILE")
    chunk: list[str] = []
    for _, text in decode_lines(file, stream):
        chunk.append(text.removesuffix("\n").removesuffix("\r"))
        if len(chunk) == chunk_lines:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def read_aligned_chunks(
    streams: Sequence[Iterable[bytes]], paths: Sequence[Path | None], chunk_lines: int
) -> Iterator[tuple[list[str], ...]]:
    """Reads parallel streams: for each stream a list of at most ``chunk_lines`` lines, all lists of equal length.

    Args:
        streams: the parallel streams of lines.
        paths: the file names in errors; None for standard input.
        chunk_lines: lines of a list; the last lists may be shorter.

    Raises:
        CorpusError: a line is not UTF-8.
        UserError: a stream ends before another.
    """
    done = 0
    readers = (read_chunks(stream, path, chunk_lines) for stream, path in zip(streams, paths, strict=True))
    for chunks in zip_longest(*readers, fillvalue=[]):
        lengths = [len(chunk) for chunk in chunks]
        if min(lengths) < max(lengths):
            short, long = (paths[lengths.index(bound(lengths))] or "standard input" for bound in (min, max))
            raise UserError(f"{short}: ends after line {done + min(lengths)}, but {long} goes on; expected as many lines in both")
        yield chunks
        done += lengths[0]


def split_pair(line: str, path: Path | None, number: int) -> tuple[str, str]:
    """The source and the target of a line.

    Args:
        line: without its end.
        path: the file name in errors; None for standard input.
        number: the line number, from 1.

    Raises:
        CorpusError: the line does not have exactly one TAB.
    """
    columns = line.split("\t")
    if len(columns) != 2:
        noun = "column" if len(columns) == 1 else "columns"
        raise CorpusError(f"{len(columns)} {noun}; expected a source, a TAB and a target", path or "standard input", number)
    return columns[0], columns[1]
