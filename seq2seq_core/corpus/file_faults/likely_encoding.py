"""The likely encoding of bytes that are not UTF-8."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SINGLE_BYTE = ("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "mac_roman")
SEVERAL_BYTES = ("cp932", "euc_jp", "gb18030", "big5", "cp949")
"""Python's names of the encodings that are told apart: those in which spreadsheets and older tools write."""
ICONV_NAMES = {"koi8_r": "KOI8-R", "euc_jp": "EUC-JP", "mac_roman": "MACINTOSH"}
"""Where the name for ``iconv`` is not Python's in capital letters."""
BINARY_BYTE = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""A byte that no text has, in any of these encodings."""
BINARY_SHARE = 0.02
"""From this share of such bytes on, bytes are no text."""
HIGH_BYTE = re.compile(rb"[\x80-\xff]")
SEVERAL_BYTES_SHARE = 0.25
"""Least share of bytes above 7F in the lines of a script that needs several bytes a character."""
MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class LikelyEncoding:
    """What the lines with bytes above 7F are.

    Attributes:
        codec: Python's name of the encoding.
        num_utf8: number of these lines that are UTF-8.
        num_others: number of the others.
        is_binary: whether the others are no text in any encoding.
    """

    codec: str
    num_utf8: int
    num_others: int
    is_binary: bool = False

    @property
    def iconv_name(self) -> str:
        """The encoding's name for ``iconv``."""
        return ICONV_NAMES.get(self.codec, self.codec.upper())

    @property
    def is_mostly_utf8(self) -> bool:
        """Whether a few lines alone are damaged, so that the file must not be converted as a whole."""
        return self.num_utf8 > self.num_others


def find_encoding(lines: Sequence[bytes]) -> LikelyEncoding:
    """The likely encoding of lines of which some are not UTF-8.

    Without the package charset-normalizer it is taken to be CP1252.

    Args:
        lines: lines of a file.
    """
    high = [line for line in lines if HIGH_BYTE.search(line)]
    others = [line for line in high if not is_utf8(line)]
    data = b"\n".join(others)[:MOST_BYTES]
    is_no_text = is_binary(data)
    return LikelyEncoding("cp1252" if is_no_text else _guess(data), len(high) - len(others), len(others), is_no_text)


def is_binary(data: bytes) -> bool:
    """Whether bytes are text in no encoding of one or several bytes a character.

    Args:
        data: a part of a file.
    """
    return len(BINARY_BYTE.findall(data)) > BINARY_SHARE * len(data)


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guess(data: bytes) -> str:
    """The likeliest encoding; CP1252 where it gives the same text as the likeliest."""
    try:
        from charset_normalizer import from_bytes
    except ModuleNotFoundError:
        return "cp1252"
    share = len(HIGH_BYTE.findall(data)) / max(1, len(data))
    found = from_bytes(data, cp_isolation=[*SINGLE_BYTE, *(SEVERAL_BYTES if share >= SEVERAL_BYTES_SHARE else ())]).best()
    if found is None or found.encoding not in (*SINGLE_BYTE, *SEVERAL_BYTES):
        return "cp1252"
    return "cp1252" if data.decode("cp1252", "replace") == data.decode(found.encoding, "replace") else found.encoding
