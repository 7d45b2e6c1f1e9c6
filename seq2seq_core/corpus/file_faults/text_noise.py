"""Noise in texts: invisible characters, escapes, markup, repetition. DuckDB reads the same patterns."""

from __future__ import annotations

import re
from itertools import pairwise

from seq2seq_core.normal_form import FORMAT_CHARACTERS

ESCAPE = re.compile(r"&(?:amp|quot|apos|lt|gt|nbsp|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});|[^ @]@@(?: |$)|@-@|" + "\u2581")
"""Entities of HTML, joints of subword and Moses tokenisers, and SentencePiece's mark of a space."""

HTML_TAG = re.compile(
    "(?i)<!--|</?(?:a|b|i|p|u|br|em|h[1-6]|hr|li|ol|td|th|tr|ul|div|img|pre|sub|sup|span|font|code|table|strong|script|style|"
    r"body|head|html|link|meta)(?:[ \t][^<>]*)?/?>"
)
"""Tags and comments of HTML."""

LEAST_UNITS, MOST_CHARACTERS = 16, 1 << 16
"""Fewest words (or characters) of a text that can be called repetitive, and its first characters, which decide."""


def name_invisible(found: re.Match[str]) -> str:
    """The code point of a character that :data:`INVISIBLE_CHARACTER` found, such as ``U+200B``."""
    return f"U+{ord(next(character for character in found[0] if character in FORMAT_CHARACTERS)):04X}"


def is_repetitive(text: str) -> bool:
    """Whether more than half of a text's bigrams are repetitions (rep-2 above 0.5, Welleck et al. 2020, section 4.2).

    The bigrams are those of words, or of characters in a text without spaces.

    Args:
        text: a text; a shorter one than :data:`LEAST_UNITS` is not repetitive.
    """
    text = text[:MOST_CHARACTERS]
    units = text.split(" ") if " " in text else list(text)
    bigrams = set(pairwise(units))
    return len(units) >= LEAST_UNITS and 2 * len(bigrams) < len(units) - 1
