"""Lines of UTF-8 text files; errors name file, line and byte.

A line ends at LF or CRLF and nowhere else: Unicode's other line ends (U+0085, U+2028, vertical tab) are part of the text.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.errors import CorpusError

HEAD_BYTES = 1 << 20
"""Bytes of a file that are checked before its lines are read."""
BYTE_ORDER_MARKS = {
    # The marks of UTF-32 come first: its little-endian one begins with that of UTF-16.
    b"\xff\xfe\x00\x00": "UTF-32LE",
    b"\x00\x00\xfe\xff": "UTF-32BE",
    b"\xff\xfe": "UTF-16LE",
    b"\xfe\xff": "UTF-16BE",
    b"\xef\xbb\xbf": "UTF-8",
}


@dataclass(frozen=True)
class CorpusFile:
    """One file of a corpus.

    Attributes:
        path: its location on disk.
        name: its name inside the corpus folder, as the settings and reports give it.
        shown: its path as error messages give it.
    """

    path: Path
    name: str
    shown: str

    @property
    def is_compressed(self) -> bool:
        """Whether the file is gzip-compressed: its name ends in ``.gz``."""
        return self.path.suffix == ".gz"

    def fault(self, message: str, line: int | None = None) -> CorpusError:
        """An error about this file."""
        return CorpusError(message, self.shown, line)


@contextmanager
def unpack(file: CorpusFile, raw: io.FileIO) -> Iterator[io.BufferedReader]:
    """The unpacked bytes of a file.

    Args:
        file: names the file in errors.
        raw: the file as it is on disk, unbuffered.

    Raises:
        CorpusError: while reading: a ``.gz`` file is not valid gzip data or ends too early.
    """
    if not file.is_compressed:
        yield io.BufferedReader(raw, HEAD_BYTES)
        return
    try:
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield io.BufferedReader(unpacked, HEAD_BYTES)
    except (gzip.BadGzipFile, zlib.error) as error:
        raise file.fault(f"not valid gzip data ({error}), which the ending .gz promises") from None
    except EOFError:
        raise file.fault("the gzip data ends too early: the file was cut off; copy or download it again") from None


def head_faults(file: CorpusFile, head: bytes) -> list[CorpusError]:
    """Faults of a text file that its first bytes show.

    Args:
        file: names the file in errors.
        head: its first bytes, unpacked; empty only for an empty file.
    """
    if not head:
        return [file.fault("the file is empty; expected at least one row")]
    faults = []
    mark = next((mark for mark in BYTE_ORDER_MARKS if head.startswith(mark)), None)
    if mark is not None:
        faults.append(_byte_order_mark_fault(file, mark))
    elif head.startswith(b"\x1f\x8b"):
        return [file.fault("gzip-compressed, but its name does not end in .gz; rename it")]
    if mark in (None, b"\xef\xbb\xbf"):
        faults += _line_end_faults(file, head)
    return faults


def _byte_order_mark_fault(file: CorpusFile, mark: bytes) -> CorpusError:
    """An error that says how to remove a byte-order mark."""
    name, shown = BYTE_ORDER_MARKS[mark], mark.hex(" ").upper()
    if name == "UTF-8":
        return file.fault(
            f"the file begins with a byte-order mark ({shown}), which would become part of the first row; "
            f"expected UTF-8 without it: `sed -i '1s/^\\xEF\\xBB\\xBF//' {file.name}` removes it",
            line=1,
        )
    return file.fault(
        f"the file begins with the byte-order mark of {name} ({shown}); expected UTF-8: "
        f"`iconv -f {name[:6]} -t UTF-8 {file.name} > converted` converts it",
        line=1,
    )


def _line_end_faults(file: CorpusFile, head: bytes) -> list[CorpusError]:
    """An error if most lines end in a bare carriage return."""
    if b"\0" in head:
        return []  # binary: iterate_lines reports it
    bare, feeds = head.count(b"\r") - head.count(b"\r\n"), head.count(b"\n")
    # The last byte may be half of a CRLF.
    if bare - head.endswith(b"\r") <= feeds:
        return []
    return [
        file.fault(
            f"lines end in a bare carriage return (CR, 0D): {bare} of them in the first {len(head)} bytes, against {feeds} "
            "line feeds (LF, 0A), so that the file looks like one line to most readers; expected LF or CRLF: "
            f"`tr '\\r' '\\n' < {file.name} > converted` converts it",
            line=1,
        )
    ]


def iterate_lines(file: CorpusFile, stream: io.BufferedReader) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their 1-based numbers, line ends included.

    Args:
        file: names the file in errors.
        stream: its unpacked bytes, from the start.

    Raises:
        CorpusError: the file is empty, has a byte-order mark, lines ended by bare CR, NUL bytes or bytes that are not UTF-8.
    """
    for fault in head_faults(file, stream.peek(HEAD_BYTES)):
        raise fault
    offset = 0
    for line, data in enumerate(stream, start=1):
        if b"\0" in data:
            position = offset + data.index(b"\0")
            raise file.fault(f"a NUL byte at offset {position}: the file is binary or UTF-16; expected text in UTF-8", line)
        try:
            yield line, data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _utf8_fault(file, line, data, offset, error) from None
        offset += len(data)


def _utf8_fault(file: CorpusFile, line: int, data: bytes, offset: int, error: UnicodeDecodeError) -> CorpusError:
    """An error that shows where the bytes stop being UTF-8."""
    start = error.start
    around = data[max(0, start - 20) : start + 20].decode("utf-8", errors="backslashreplace").strip()
    unpacked = " of the unpacked file" if file.is_compressed else ""
    return file.fault(
        f"not UTF-8: byte 0x{data[start]:02X} at offset {offset + start}{unpacked} ({error.reason}), in {around!r}; "
        f"expected UTF-8: if it is Windows text, `iconv -f CP1252 -t UTF-8 {file.name} > converted` converts it",
        line,
    )


def without_line_end(text: str) -> str:
    """A line without its LF or CRLF."""
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
