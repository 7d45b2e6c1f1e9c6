"""Lines in and lines out for ``s2s predict`` and ``s2s score``.

Strict UTF-8, only LF ends a line, a file appears whole or not at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from seq2seq_core.errors import CorpusError, UserError

BYTE_ORDER_MARK = "\ufeff"


@contextmanager
def open_sources(path: Path | None, expected: str = "one source a line") -> Iterator[BinaryIO]:
    """The bytes of a file, or of standard input for None.

    Args:
        path: the file.
        expected: what the file should hold, for messages.

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
    """A function that writes text to a file, or to standard output for None.

    The file gets its name only when the block ends without an error.
    """
    if path is None:
        # Text of other scripts must come out whatever the locale, and an attended reader wants each line at once.
        sys.stdout.reconfigure(encoding="utf-8", line_buffering=sys.stdout.isatty())  # type: ignore[union-attr]
        yield sys.stdout.write
        sys.stdout.flush()
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream.write
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_chunks(stream: Iterable[bytes], path: Path | None, chunk_lines: int) -> Iterator[list[str]]:
    """Lists of at most ``chunk_lines`` lines, without their ends.

    Args:
        stream: lines as bytes, each ended by LF.
        path: the file that errors name; None for standard input.
        chunk_lines: the length of a list.

    Raises:
        CorpusError: a line is not UTF-8, or the first one begins with a byte-order mark.
    """
    chunk: list[str] = []
    for number, line in enumerate(stream, start=1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"not UTF-8 at byte {error.start + 1} of the line; expected UTF-8 text", path or "standard input", number
            ) from None
        if number == 1 and text.startswith(BYTE_ORDER_MARK):
            raise CorpusError(
                "begins with a byte-order mark (EF BB BF), which would become part of the line; expected UTF-8 without it",
                path or "standard input",
                1,
            )
        chunk.append(text.removesuffix("\n").removesuffix("\r"))
        if len(chunk) == chunk_lines:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def read_aligned_chunks(
    streams: Sequence[Iterable[bytes]], paths: Sequence[Path | None], chunk_lines: int
) -> Iterator[tuple[list[str], ...]]:
    """For each stream a list of at most ``chunk_lines`` lines, the lists of equal length.

    Args:
        streams: whose lines belong together.
        paths: the files that errors name; None for standard input.
        chunk_lines: the length of a list.

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
        path: the file that errors name; None for standard input.
        number: the line's, from 1.

    Raises:
        CorpusError: the line does not have exactly one TAB.
    """
    columns = line.split("\t")
    if len(columns) != 2:
        noun = "column" if len(columns) == 1 else "columns"
        raise CorpusError(f"{len(columns)} {noun}; expected a source, a TAB and a target", path or "standard input", number)
    return columns[0], columns[1]
