"""Formats that may hold pairs and are not read: told by a file's name or first bytes, each with the command that converts it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath

_XML = "import sys, xml.etree.ElementTree as E; print(*("
_TMX = (
    f"""python3 -c "{_XML}'\\t'.join(' '.join(''.join(s.itertext()).split()) for s in u.iter('seg')) """
    """for _, u in E.iterparse(sys.argv[1]) if u.tag == 'tu'), sep='\\n')" FILE > pairs.tsv"""
)
_XLIFF = (
    f"""python3 -c "{_XML}'\\t'.join(' '.join(''.join(u.find('{{*}}' + s).itertext()).split()) for s in ('source', 'target')) """
    """for _, u in E.iterparse(sys.argv[1]) if u.find('{*}target') is not None), sep='\\n')" FILE > pairs.tsv"""
)
_SHEET = "soffice --headless --convert-to 'csv:Text - txt - csv (StarCalc):44,34,76' FILE"


@dataclass(frozen=True)
class ForeignFormat:
    """A format that is not read.

    Attributes:
        name: what a file is, in words.
        command: converts or unpacks ``FILE``.
        endings: of file names.
        mark: matches the first bytes; None: they do not tell.
        advice: a way without the command.
    """

    name: str
    command: str
    endings: tuple[str, ...]
    mark: re.Pattern[bytes] | None = None
    advice: str = ""

    def advise(self, file: str) -> str:
        """What a file is, and how to make one that is read.

        Args:
            file: its path.
        """
        return f"{self.name}, which is not read; {self.advice}`{self.command.replace('FILE', shlex.quote(file))}` converts it"


FORMATS = (
    ForeignFormat(
        "an Excel workbook", _SHEET, (".xlsx", ".xlsm"), re.compile(rb"PK\x03\x04.{26}(\[Content_Types\]|xl/|_rels/)", re.DOTALL),
        "save the sheet as CSV UTF-8: ",
    ),
    ForeignFormat(
        "an OpenDocument spreadsheet", _SHEET, (".ods",), re.compile(rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis", re.DOTALL),
        "save the sheet as CSV UTF-8: ",
    ),
    ForeignFormat(
        "an old Excel workbook", _SHEET, (".xls",), re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        "save the sheet as CSV UTF-8: ",
    ),
    ForeignFormat("a ZIP archive", "unzip FILE", (".zip",), re.compile(rb"PK\x03\x04")),
    ForeignFormat("compressed by xz", "xz -dk FILE", (".xz",), re.compile(rb"\xfd7zXZ\x00")),
    ForeignFormat("compressed by bzip2", "bzip2 -dk FILE", (".bz2",), re.compile(rb"BZh[1-9]1AY&SY")),
    ForeignFormat("compressed by Zstandard", "zstd -d FILE", (".zst", ".zstd"), re.compile(rb"\x28\xb5\x2f\xfd")),
    ForeignFormat("a 7z archive", "7z x FILE", (".7z",), re.compile(rb"7z\xbc\xaf\x27\x1c")),
    ForeignFormat("a RAR archive", "unrar x FILE", (".rar",), re.compile(rb"Rar!\x1a\x07")),
    ForeignFormat("a tar archive", "tar -xf FILE", (".tar", ".tgz", ".tar.gz"), re.compile(rb".{257}ustar", re.DOTALL)),
    ForeignFormat("a translation memory (TMX)", _TMX, (".tmx",)),
    ForeignFormat("XLIFF", _XLIFF, (".xlf", ".xliff")),
)  # fmt: skip
"""Of several whose mark matches, the first counts."""
MEDIA = {
    "a PNG picture": re.compile(rb"\x89PNG"),
    "a JPEG picture": re.compile(rb"\xff\xd8\xff"),
    "a GIF picture": re.compile(rb"GIF8[79]a"),
    "a TIFF picture": re.compile(rb"II\*\0|MM\0\*"),
    "a WebP picture": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "a WAV recording": re.compile(rb"RIFF.{4}WAVE", re.DOTALL),
    "a FLAC recording": re.compile(rb"fLaC"),
    "an Ogg recording": re.compile(rb"OggS"),
    "an MP3 recording": re.compile(rb"ID3[\x02-\x04]"),
    "a PDF document": re.compile(rb"%PDF-"),
}
"""First bytes of files that hold no text, though their names may be lines of one."""
PARQUET_MARK = b"PAR1"
GZIP_MARK = b"\x1f\x8b"


def format_of_name(name: str) -> ForeignFormat | None:
    """The format that a file's name tells; None: one that is read, or unknown."""
    lower = PurePosixPath(name.lower()).name
    return next((kind for kind in FORMATS if lower.endswith(kind.endings)), None)


def describe_mark(head: bytes, file: str) -> str:
    """What the first bytes of a file that should be text tell it to be, with the way out; empty: nothing.

    Args:
        head: the first bytes.
        file: its path.
    """
    if head.startswith(GZIP_MARK):
        return "gzip-compressed, but its name does not end in .gz; rename it"
    if head.startswith(PARQUET_MARK):
        return "a Parquet file, but its name does not end in .parquet; rename it"
    if media := next((name for name, mark in MEDIA.items() if mark.match(head)), ""):
        return (
            f"{media}, and not a list of lines; the names of such files are lines of a list: `echo {shlex.quote(file)} > list.txt`"
        )
    kind = next((kind for kind in FORMATS if kind.mark is not None and kind.mark.match(head)), None)
    return kind.advise(file) if kind else ""
