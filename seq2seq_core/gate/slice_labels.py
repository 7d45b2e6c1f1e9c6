"""Labels that cut a test set into slices without a declared column: length, rare symbols and script of the sources."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

from seq2seq_core.evaluation.slices import length_buckets

LENGTH, SYMBOLS, SCRIPT = "source_length", "source_symbols", "source_script"
RARE_FRACTION = 0.01
"""A symbol is rare if at most this share of the sources has it."""
RARE, COMMON, NO_LETTER = "rare", "common", "none"


def source_labels(sources: Sequence[str]) -> dict[str, list[str]]:
    """The labels of each source, by kind.

    Args:
        sources: the sources of the test set; at least one.
    """
    return {LENGTH: length_buckets(sources), SYMBOLS: symbol_labels(sources), SCRIPT: [script_of(source) for source in sources]}


def symbol_labels(sources: Sequence[str]) -> list[str]:
    """``rare`` for a source with a symbol that few sources have, else ``common``.

    Args:
        sources: the sources of the test set.
    """
    counts = Counter(symbol for source in sources for symbol in set(source))
    rare = {symbol for symbol, count in counts.items() if count <= RARE_FRACTION * len(sources)}
    return [RARE if rare.intersection(source) else COMMON for source in sources]


def script_of(text: str) -> str:
    """The script of most letters, such as ``latin``; of equally frequent ones the first in the text; ``none`` without a letter.

    Args:
        text: any text.
    """
    names = (unicodedata.name(symbol, "").partition(" ")[0].lower() for symbol in text if symbol.isalpha())
    counts = Counter(name for name in names if name)
    return counts.most_common(1)[0][0] if counts else NO_LETTER
