"""Removes invisible characters: zero-width ones, marks of direction, soft hyphens, byte-order marks inside a text."""

from __future__ import annotations

import re

from seq2seq_core.mending.mending_rule import MendingRule
from seq2seq_core.normal_form import FORMAT_CHARACTERS

_INVISIBLE = "\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
_JOINERS, _LATIN = "[\u200c\u200d]", "[!-\u024f]"
# Persian and the scripts of India write the joiners between their letters, and emoji are joined by them. Latin text is not.
INVISIBLE_CHARACTER = re.compile(f"[{_INVISIBLE}]|{_JOINERS}{_LATIN}|{_LATIN}{_JOINERS}")
"""An invisible character; a joiner together with the Latin letter beside it."""
_REMOVED = str.maketrans("", "", FORMAT_CHARACTERS)


def _mend(text: str) -> str:
    return INVISIBLE_CHARACTER.sub(lambda found: found[0].translate(_REMOVED), text)


RULE = MendingRule(INVISIBLE_CHARACTER, _mend)
