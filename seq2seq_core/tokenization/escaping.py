"""Escaping of the characters that SentencePiece reserves, so that every text survives the round trip.

SentencePiece writes a space as U+2581, marks unknown characters in training with U+2585 and boundaries with U+001F, and skips
sentences that hold one of these or a zero byte. Each of these gets a stand-in from a private plane of Unicode; a text that already
holds one of the stand-ins has it marked by an escape character, so that the mapping is one to one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from seq2seq_core.json_text import has_surrogate

ESCAPE = "\U000f5e00"
_STAND_INS = {"\u2581": "\U000f5e01", "\u2585": "\U000f5e02", "\x00": "\U000f5e03", "\x1f": "\U000f5e04"}
_RESERVED = {stand_in: character for character, stand_in in _STAND_INS.items()}
_REPLACEMENTS = _STAND_INS | {character: ESCAPE + character for character in (ESCAPE, *_RESERVED)}

_TO_ESCAPE = re.compile("[\u2581\u2585\\x00\\x1f\U000f5e00-\U000f5e04\ud800-\udfff]")
_TO_UNESCAPE = re.compile("\U000f5e00(?s:.)|[\U000f5e01-\U000f5e04]")


def escape(text: str) -> str:
    """The text without characters that SentencePiece reserves; :func:`unescape` restores it.

    Args:
        text: any text. A lone surrogate, which no UTF-8 text can hold, becomes U+FFFD.
    """
    return _TO_ESCAPE.sub(lambda match: _REPLACEMENTS.get(match[0], "\ufffd"), text)


def escape_all(texts: Sequence[str]) -> list[str]:
    """The texts, each escaped; searched as one text, because hardly any holds a reserved character.

    Args:
        texts: any texts.
    """
    joined = "\n".join(texts)
    if not any(character in joined for character in _REPLACEMENTS) and not has_surrogate(joined):
        return list(texts)
    return [escape(text) for text in texts]


def unescape(text: str) -> str:
    """The original of an escaped text.

    Args:
        text: escaped text, or a model's output: an escape character with nothing after it is kept as it is.
    """
    return _TO_UNESCAPE.sub(lambda match: match[0][1] if len(match[0]) == 2 else _RESERVED[match[0]], text)
