"""Comparison of texts: normal forms to compare by, and short digests to store."""

from __future__ import annotations

import hashlib
import re
import unicodedata

DIGIT = re.compile(r"\d")
SPACE_NOT_BETWEEN_DIGITS = re.compile(r"(?<!\d) | (?!\d)")


def normalize_exactly(text: str) -> str:
    """A text in NFC with single spaces for runs of white space; texts that still differ look different to a reader."""
    text = " ".join(text.split())
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def normalize_nearly(text: str) -> str:
    """A text reduced so that near-duplicates are equal: NFKC, case-folded, without punctuation and white space.

    Between two digits a separator stays, as one space, so that 1/12 and 11/2 differ. A text of nothing but separators stays.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    words = text.casefold().translate(_SEPARATORS).split()
    folded = SPACE_NOT_BETWEEN_DIGITS.sub("", " ".join(words)) if DIGIT.search(text) else "".join(words)
    return folded or normalize_exactly(text)


class _Separators(dict[int, str]):
    """A table for ``str.translate`` that maps punctuation, white space and control characters to spaces; filled on demand."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = " " if unicodedata.category(character)[0] in "PZC" else character
        return self[code]


_SEPARATORS = _Separators()


def digest(*texts: str) -> int:
    """A 64-bit digest of texts; among 100 million digests, the probability that any two collide is 1 in 3,700."""
    joined = "\0".join(texts).encode("utf-8", errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "big")
