"""Faulty characters in text: control characters and mojibake."""

from __future__ import annotations

import re

# C0 without TAB and LF, DEL, C1, and the replacement character that lost bytes become.
CONTROL_CHARACTER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]")

# What the bytes 80 to BF, of which UTF-8's continuations are made, become when they are read as Latin-1 or cp1252.
_CONTINUATION = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
# Two-byte characters count only after the letters that Western, Cyrillic, Greek, Hebrew and Arabic text begins them with (Ã© is é,
# Ð° is а), and not before a quotation mark or dash: Spaß“ is German.
MOJIBAKE = re.compile(f"[ÂÃÄÅÎÏÐÑ×ØÙ][\x80-\x9f¡-¿]|[à-ï]{_CONTINUATION}{{2}}|[ð-ô]{_CONTINUATION}{{3}}")


def find_mojibake(text: str) -> int:
    """The first position that looks like UTF-8 read as Latin-1 or cp1252 (``Ã©`` for é, ``â€œ`` for “); -1 if there is none."""
    if text.isascii():
        return -1
    found = MOJIBAKE.search(text)
    return found.start() if found else -1


def is_quoted_cell(text: str) -> bool:
    """Whether a text is a cell as CSV and Excel quote it (RFC 4180), such as ``"a ""b"" c"``.

    Quotation marks around a text that has none inside may be its own.
    """
    inner = text[1:-1]
    return text[:1] == text[-1:] == '"' and '""' in inner and '"' not in inner.replace('""', "")


def quote(text: str, position: int = 0, width: int = 60) -> str:
    """The part of a text around a position, in quotation marks, on one line, with control characters as escapes.

    Args:
        text: the whole text.
        position: the position that must be visible.
        width: the maximum number of characters shown.
    """
    start = max(0, min(position - width // 2, len(text) - width))
    part = text[start : start + width]
    shown = "".join(character if character.isprintable() else character.encode("unicode_escape").decode() for character in part)
    return f'"{"…" if start else ""}{shown}{"…" if start + width < len(text) else ""}"'
