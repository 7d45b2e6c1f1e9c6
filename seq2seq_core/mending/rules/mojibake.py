"""Reads text that was decoded by the wrong encoding as it was meant: ``Ã©`` is é. Library ftfy (Speer 2019) tells it from text."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from seq2seq_core.errors import UserError
from seq2seq_core.mending.mending_rule import MendingRule


@cache
def _library() -> Any:
    try:
        import ftfy
    except ImportError:
        raise UserError("mending mojibake needs the package ftfy, which is not installed; run: pip install ftfy") from None
    return ftfy


def _mend(text: str) -> str:
    mended: str = _library().fix_encoding(text, fix_c1_controls=False)
    return mended


RULE = MendingRule(re.compile("[^\x00-\x7f]"), _mend)
