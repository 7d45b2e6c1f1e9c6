"""Symbols of texts that a model does not know, and the warning of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from seq2seq_core.json_text import shorten
from seq2seq_core.tokenization.special_tokens import UNK_ID
from seq2seq_core.tokenization.subword import SubwordModel

logger = logging.getLogger(__name__)
MOST_TOLD, SHOWN_CHARACTERS = 20, 20


def unknown_in(text: str, tokenizer: SubwordModel) -> list[str]:
    """The characters (of the kind ``symbols``, the symbols) of a text that a model lacks, each once, in order.

    Args:
        text: in the normal form of the corpus.
        tokenizer: the model's.
    """
    return _unknown(_parts(text, tokenizer), tokenizer)


def _parts(text: str, tokenizer: SubwordModel) -> list[str]:
    return [part for part in dict.fromkeys(text.split() if tokenizer.kind == "symbols" else text) if not part.isspace()]


def _unknown(parts: Sequence[str], tokenizer: SubwordModel) -> list[str]:
    return [part for part, ids in zip(parts, tokenizer.encode(parts), strict=True) if UNK_ID in ids]


class UnknownSymbols:
    """Warns of the first 20 symbols of sources that a model does not know, of each once.

    Args:
        tokenizer: the model's.
    """

    def __init__(self, tokenizer: SubwordModel) -> None:
        self.tokenizer = tokenizer
        self._looked_at, self._num_told = set[str](), 0

    def tell(self, texts: Iterable[str]) -> None:
        """Warns of symbols that were not told before.

        Args:
            texts: sources with an unknown symbol, in the normal form of the corpus.
        """
        room = MOST_TOLD - self._num_told
        if not room:
            return
        parts = dict.fromkeys(part for text in texts for part in _parts(text, self.tokenizer) if part not in self._looked_at)
        self._looked_at.update(parts)
        listed = _unknown(list(parts), self.tokenizer)[:room]
        self._num_told += len(listed)
        if not listed:
            return
        logger.warning(
            "sources have symbols that the model does not know: %s; it reads each of them as the same unknown symbol%s",
            ", ".join(map(_name, listed)), "; further ones are not told" if len(listed) == room else "",
        )  # fmt: skip


def _name(symbol: str) -> str:
    """A symbol as a message shows it; a single character with its code point."""
    return f"{symbol!r} (U+{ord(symbol):04X})" if len(symbol) == 1 else repr(shorten(symbol, SHOWN_CHARACTERS))
