"""Replaces entities of HTML (``&quot;``, ``&#39;``, ``&amp;lt;``) by the characters that they stand for."""

from __future__ import annotations

import html
import re
import unicodedata
from html.entities import html5

from seq2seq_core.mending.mending_rule import MendingRule

# The ampersand may itself be escaped, any number of times. Without a semicolon there is no entity: AT&T stays.
_ENTITY = re.compile("&(?:(?:amp|#0*38|#[xX]0*26);)*(#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def _character(entity: str) -> str:
    """What an entity stands for; itself where that is unknown or no character of a text. A line end or tab becomes a space."""
    meant = html.unescape(entity) if entity[1] == "#" else html5.get(entity[1:], "")
    if not meant or meant == entity or "\ufffd" in meant:
        return entity
    if len(meant) == 1 and unicodedata.category(meant) == "Cc":
        return " " if meant.isspace() else entity
    return meant


def _mend(text: str) -> str:
    return _ENTITY.sub(lambda found: _character(f"&{found[1]};"), text)


RULE = MendingRule(_ENTITY, _mend)
