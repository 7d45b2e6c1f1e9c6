"""Symbols of texts that a model does not know, and the warning of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable

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
    parts = dict.fromkeys(text.split() if tokenizer.kind == "symbols" else text)
    return [part for part in parts if not part.isspace() and UNK_ID in tokenizer.encode([part])[0]]


class UnknownSymbols:
    """Warns of the first 20 symbols of sources that a model does not know, of each once.

    Args:
        tokenizer: the model's.
    """

    def __init__(self, tokenizer: SubwordModel) -> None:
        self.tokenizer, self._told = tokenizer, set[str]()

    def tell(self, texts: Iterable[str]) -> None:
        """Warns of symbols that were not told before.

        Args:
            texts: sources with an unknown symbol, in the normal form of the corpus.
        """
        room, new = MOST_TOLD - len(self._told), dict[str, None]()
        for text in texts:
            if len(new) >= room:
                break
            new |= dict.fromkeys(symbol for symbol in unknown_in(text, self.tokenizer) if symbol not in self._told)
        if not new:
            return
        listed = list(new)[:room]
        self._told.update(listed)
        logger.warning(
            "sources have symbols that the model does not know: %s; it reads each of them as the same unknown symbol%s",
            ", ".join(map(_name, listed)), "; further ones are not told" if len(listed) == room else "",
        )  # fmt: skip


def _name(symbol: str) -> str:
    """A symbol as a message shows it; a single character with its code point."""
    return f"{symbol!r} (U+{ord(symbol):04X})" if len(symbol) == 1 else repr(shorten(symbol, SHOWN_CHARACTERS))
