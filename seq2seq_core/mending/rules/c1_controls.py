"""Replaces C1 control characters by what the same bytes mean in cp1252: text of Windows that was read as Latin-1."""

from __future__ import annotations

import re

from seq2seq_core.mending.mending_rule import MendingRule

_C1 = range(0x80, 0xA0)
# Five bytes mean nothing in cp1252; their characters are removed.
_MEANT = {code: bytes([code]).decode("cp1252", errors="ignore") for code in _C1}


def _mend(text: str) -> str:
    return text.translate(_MEANT)


RULE = MendingRule(re.compile("[\x80-\x9f]"), _mend)
