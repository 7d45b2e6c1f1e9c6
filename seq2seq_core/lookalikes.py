"""Texts that look the same and are not: other Unicode forms of one text, invisible characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

MAX_SHOWN_CHARACTERS = 60


def explain_lookalike(text: str, known: Iterable[str]) -> str:
    """How a text differs from another one that looks the same, as the end of a message; empty where there is none.

    Args:
        text: a text that was not found.
        known: the texts that it was looked for in.
    """
    key = _appearance(text)
    alike = next((other for other in known if other != text and _appearance(other) == key), None)
    if alike is None:
        return ""
    difference = "in their Unicode form" if _form(alike) == _form(text) else "in invisible characters"
    return f'; "{spell_out(text)}" and "{spell_out(alike)}" look alike and differ only {difference}'


def spell_out(text: str) -> str:
    r"""A text in ASCII, with the code points of all other characters: ``e\u0301`` for e with a combining acute.

    Args:
        text: any text; a long one is cut.
    """
    cut = text[:MAX_SHOWN_CHARACTERS]
    spelt = "".join(character if " " <= character <= "~" else _escape(character) for character in cut)
    return spelt + ("…" if len(cut) < len(text) else "")


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _form(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _appearance(text: str) -> str:
    """A key that is equal for texts that look the same: NFKC, without invisible characters, single spaces."""
    visible = "".join(" " if character.isspace() else character for character in _form(text) if not _is_invisible(character))
    return " ".join(visible.split())


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf") and not character.isspace()
