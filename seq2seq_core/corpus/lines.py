"""Lines of UTF-8 text files; errors name file, line and byte.

A line ends at LF or CRLF and nowhere else: Unicode's other line ends (U+0085, U+2028, vertical tab) are part of the text.
A byte-order mark of UTF-8 at the start of a file is no text.
"""

from __future__ import annotations

import gzip
import io
import shlex
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from seq2seq_core.corpus.bounded_lines import LONGEST_LINE, BoundedLines, EmptyLines
from seq2seq_core.corpus.file_faults.broken_lines import OnFault, raise_fault, report_fault
from seq2seq_core.corpus.file_faults.foreign_formats import GZIP_MARK, describe_mark
from seq2seq_core.corpus.file_faults.likely_encoding import BINARY_BYTE, LikelyEncoding, find_encoding, is_binary, is_utf8
from seq2seq_core.errors import CorpusError

HEAD_BYTES = 1 << 20
"""Bytes of a file that are checked before its lines are read."""
UTF8_MARK = b"\xef\xbb\xbf"
OTHER_MARKS = {
    # The marks of UTF-32 come first: its little-endian one begins with that of UTF-16.
    b"\xff\xfe\x00\x00": "UTF-32LE",
    b"\x00\x00\xfe\xff": "UTF-32BE",
    b"\xff\xfe": "UTF-16LE",
    b"\xfe\xff": "UTF-16BE",
}
"""Byte-order marks of encodings that are not read."""
MOST_SAMPLED_LINES = 2_000
"""Lines by which the encoding of a file is guessed."""
UTF16_FRACTION = 0.7
"""Least share of NUL among every second byte of a file that is taken for UTF-16."""
TO_LINE_FEEDS, WITHOUT_NULS = r"tr '\r' '\n'", r"tr -d '\0'"


@dataclass(frozen=True)
class CorpusFile:
    """One file of a corpus, or of the command line.

    Attributes:
        path: its location on disk.
        name: its name inside the corpus folder, as the settings and reports give it.
        shown: its path as error messages give it.
        typed: how a command names it; empty: as ``shown``.
    """

    path: Path
    name: str
    shown: str
    typed: str = ""

    @property
    def is_compressed(self) -> bool:
        """Whether the file is gzip-compressed: its name ends in ``.gz``."""
        return self.path.suffix == ".gz"

    @property
    def quoted(self) -> str:
        """Its path for a shell."""
        return shlex.quote(self.typed or self.shown)

    def conversion(self, command: str, is_filter: bool = False) -> str:
        """The command that writes the converted file, for messages.

        Args:
            command: such as ``iconv -f CP1252 -t UTF-8``; reads the unpacked file.
            is_filter: whether it reads standard input only.
        """
        if self.is_compressed:
            return f"`gzip -dc {self.quoted} | {command} > converted`"
        return f"`{command} {'< ' if is_filter else ''}{self.quoted} > converted`"

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
        CorpusError: while reading: a ``.gz`` file is not valid gzip data, ends too early, or goes on after its gzip data.
    """
    if not file.is_compressed:
        yield io.BufferedReader(raw, HEAD_BYTES)
        return
    try:
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield io.BufferedReader(unpacked, HEAD_BYTES)
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _gzip_fault(file, raw, error) from None
    except EOFError:
        raise file.fault("the gzip data ends too early: the file was cut off; copy or download it again") from None


def _gzip_fault(file: CorpusFile, raw: io.FileIO, error: Exception) -> CorpusError:
    """An error that tells damaged gzip data from other bytes behind it."""
    raw.seek(0)
    if raw.read(len(GZIP_MARK)) == GZIP_MARK and str(error).startswith("Not a gzipped file"):
        return file.fault(
            f"other bytes follow the end of the gzip data; expected nothing behind it: `gzip -dc {file.quoted} > unpacked` "
            "unpacks what comes before them"
        )
    return file.fault(f"not valid gzip data ({error}), which the ending .gz promises")


def head_faults(file: CorpusFile, head: bytes) -> list[CorpusError]:
    """Faults of a text file that its first bytes show.

    Args:
        file: names the file in errors.
        head: its first bytes, unpacked; empty only for an empty file.
    """
    if head in (b"", UTF8_MARK):
        return [file.fault("the file is empty; expected at least one row")]
    if found := describe_mark(head, file.typed or file.shown):
        return [file.fault(found)]
    if fault := _encoding_fault(file, head):
        return [fault]
    return _line_end_faults(file, head)


def _encoding_fault(file: CorpusFile, head: bytes) -> CorpusError | None:
    """An error if the first bytes are those of UTF-16 or UTF-32, with or without a byte-order mark."""
    if mark := next((mark for mark in OTHER_MARKS if head.startswith(mark)), None):
        name, shown = OTHER_MARKS[mark], mark.hex(" ").upper()
        found, encoding = f"the file begins with the byte-order mark of {name} ({shown})", name[:6]
    elif encoding := _unmarked_encoding(head):
        found = f"every second byte of the file is NUL (00): it is {encoding} without a byte-order mark"
    else:
        return None
    convert = file.conversion(f"iconv -f {encoding} -t UTF-8")
    return file.fault(f"{found}; expected UTF-8: {convert} converts it", line=1)


def _unmarked_encoding(head: bytes) -> str:
    """``UTF-16LE`` or ``UTF-16BE`` if one of two bytes is almost always NUL and the other never; else empty."""
    num_pairs = len(head) // 2
    num_even, num_odd = head[: 2 * num_pairs : 2].count(0), head[1 : 2 * num_pairs : 2].count(0)
    if not num_even and num_odd > UTF16_FRACTION * num_pairs:
        return "UTF-16LE"
    return "UTF-16BE" if not num_odd and num_even > UTF16_FRACTION * num_pairs else ""


def _line_end_faults(file: CorpusFile, head: bytes) -> list[CorpusError]:
    """An error if most lines end in a bare carriage return."""
    if b"\0" in head or is_binary(head):
        return []  # binary: decode_lines reports it
    bare, feeds = head.count(b"\r") - head.count(b"\r\n"), head.count(b"\n")
    # The last byte may be half of a CRLF.
    if bare - head.endswith(b"\r") <= feeds:
        return []
    return [
        file.fault(
            f"lines end in a bare carriage return (CR, 0D): {bare} of them in the first {len(head)} bytes, against {feeds} "
            "line feeds (LF, 0A), so that the file looks like one line to most readers; expected LF or CRLF: "
            f"{file.conversion(TO_LINE_FEEDS, is_filter=True)} converts it",
            line=1,
        )
    ]


def iterate_lines(
    file: CorpusFile, stream: io.BufferedReader, on_fault: OnFault = raise_fault, empty: EmptyLines | None = None
) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their 1-based numbers, line ends included.

    Args:
        file: names the file in errors.
        stream: its unpacked bytes, from the start.
        on_fault: see :func:`decode_lines`.
        empty: what the reader does with empty lines; None: nothing of its own.

    Raises:
        CorpusError: the file is empty, is UTF-16, has lines ended by bare CR, NUL bytes or bytes that are not UTF-8, or a line that
            is too long.
    """
    for fault in head_faults(file, stream.peek(HEAD_BYTES)):
        raise fault
    yield from decode_lines(file, BoundedLines(stream), on_fault, empty)


def decode_lines(
    file: CorpusFile, lines: Iterable[bytes], on_fault: OnFault = raise_fault, empty: EmptyLines | None = None
) -> Iterator[tuple[int, str]]:
    """Lines of bytes as text, with their 1-based numbers, line ends included.

    Args:
        file: names the file in errors.
        lines: from the start of the file.
        on_fault: receives the fault of a line that is too long, or has NUL bytes or bytes that are not UTF-8. Where it returns, the
            line follows, with U+FFFD for its faulty bytes, or its beginning, so that the lines of two files stay aligned.
        empty: what the reader does with empty lines; None: nothing of its own.

    Raises:
        CorpusError: the first bytes are UTF-16 or of a file that is no text, or ``on_fault`` raises.
    """
    line, offset, num_cut, encoding = 0, 0, 0, None
    bounded = lines if isinstance(lines, BoundedLines) else None
    for data in lines:
        if (line := line + 1) == 1:
            _check_first_line(file, data)
        elif empty is not None and (count := empty.take(line, data, bounded)):
            line, offset = line + count - 1, offset + count * len(data)
            continue
        text = data.removeprefix(UTF8_MARK) if line == 1 else data
        if bounded is not None and (num_cut := bounded.num_cut):
            on_fault(_length_fault(file, line, data, len(data) + num_cut))
        if b"\0" in data:
            report_fault(on_fault, file.shown, line, partial(_nul_fault, file, data=data, offset=offset))
        try:
            yield line, text.decode("utf-8")
        except UnicodeDecodeError as error:
            encoding = encoding or find_encoding([text, *_first_lines(file)])
            fault = partial(_utf8_fault, file, data=text, offset=offset + len(data) - len(text), error=error, encoding=encoding)
            report_fault(on_fault, file.shown, line, fault)
            yield line, text.decode("utf-8", "replace")
        offset += len(data) + num_cut


def _check_first_line(file: CorpusFile, data: bytes) -> None:
    """Raises an error where the first line shows another encoding, or a file that is no text."""
    found = describe_mark(data, file.typed or file.shown)
    if fault := file.fault(found, 1) if found else _encoding_fault(file, data):
        raise fault


def _first_lines(file: CorpusFile) -> list[bytes]:
    """The lines in the first bytes of a file; none where it cannot be read twice."""
    if not file.path.is_file():
        return []
    with io.FileIO(file.path) as raw, unpack(file, raw) as stream:
        return list(islice(io.BytesIO(stream.peek(HEAD_BYTES)), MOST_SAMPLED_LINES))


def _length_fault(file: CorpusFile, line: int, data: bytes, length: int) -> CorpusError:
    return file.fault(
        f"a line of {length:,} bytes, which begins with {_shown_around(data, 0)!r}; expected a row a line, of at most "
        f"{LONGEST_LINE:,} bytes",
        line,
    )


def _nul_fault(file: CorpusFile, line: int, data: bytes, offset: int) -> CorpusError:
    """An error that tells a stray NUL in a text from a file that is no text."""
    position = offset + data.index(b"\0")
    others = data.replace(b"\0", b"")
    if 2 * len(others) <= len(data) or BINARY_BYTE.search(others) or not is_utf8(others):
        return file.fault(f"a NUL byte at offset {position}: the file is binary or UTF-16; expected text in UTF-8", line)
    shown = _shown_around(data, data.index(b"\0"))
    return file.fault(
        f"a stray NUL byte (00) at offset {position}{_of_unpacked(file)}, in {shown!r}; expected text without it: "
        f"{file.conversion(WITHOUT_NULS, is_filter=True)} removes it",
        line,
    )


def _utf8_fault(
    file: CorpusFile, line: int, data: bytes, offset: int, error: UnicodeDecodeError, encoding: LikelyEncoding
) -> CorpusError:
    """An error that shows where the bytes stop being UTF-8, and what they are likely to be."""
    start = error.start
    found = (
        f"not UTF-8: byte 0x{data[start]:02X} at offset {offset + start}{_of_unpacked(file)} ({error.reason}), "
        f"in {_shown_around(data, start)!r}; expected UTF-8"
    )
    if encoding.is_mostly_utf8:
        return file.fault(f"{found}, which the other lines are: mend or remove the broken lines", line)
    if encoding.is_binary:
        return file.fault(f"{found} text: these bytes are text in no encoding", line)
    read = _shown_around(data, start, encoding.codec)
    convert = file.conversion(f"iconv -f {encoding.iconv_name} -t UTF-8")
    return file.fault(f"{found}: it is likely {encoding.iconv_name}, which reads {read!r} here: {convert} converts it", line)


def _shown_around(data: bytes, position: int, encoding: str = "utf-8") -> str:
    """The text around a faulty byte."""
    return data[max(0, position - 20) : position + 20].decode(encoding, errors="backslashreplace").strip()


def _of_unpacked(file: CorpusFile) -> str:
    return " of the unpacked file" if file.is_compressed else ""


def without_line_end(text: str) -> str:
    """A line without its LF or CRLF."""
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
