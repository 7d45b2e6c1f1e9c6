"""Numbers and web addresses that the two sides of a pair do not share. DuckDB reads the same patterns."""

from __future__ import annotations

import re

from seq2seq_core.normal_form import WHITE_SPACE

_ZEROS = (0xFF10, 0x660, 0x6F0, 0x966, 0x9E6, 0xE50)
DIGITS = "".join(chr(zero + digit) for zero in _ZEROS for digit in range(10))
"""Digits that count as ASCII's: full-width, Arabic-Indic (two kinds), Devanagari, Bengali and Thai ones."""
ASCII_DIGITS = "0123456789" * len(_ZEROS)
NUMBER = re.compile("[0-9](?:[.,]?[0-9])*")
ADDRESS = re.compile(f'(?:https?://|www\\.)[^{WHITE_SPACE}<>"]*[^{WHITE_SPACE}<>".,;:!?)\\]]')
_TO_ASCII = str.maketrans(DIGITS, ASCII_DIGITS)


def numbers_of(text: str) -> list[str]:
    """The numbers of a text in digits, sorted, without points and commas.

    Args:
        text: such as a source.
    """
    return sorted(re.sub("[.,]", "", number) for number in NUMBER.findall(text.translate(_TO_ASCII)))


def numbers_differ(source: str, target: str) -> bool:
    """Whether two texts have different numbers, whatever their order, and different digits (``1 000`` and ``1,000`` do not).

    Args:
        source: a text.
        target: its counterpart.
    """
    one, other = (re.sub("[^0-9]", "", text.translate(_TO_ASCII)) for text in (source, target))
    return one != other and numbers_of(source) != numbers_of(target)


def addresses_of(text: str) -> list[str]:
    """The web addresses of a text, sorted.

    Args:
        text: such as a source.
    """
    return sorted(ADDRESS.findall(text))


def addresses_differ(source: str, target: str) -> bool:
    """Whether two texts have different web addresses.

    Args:
        source: a text.
        target: its counterpart.
    """
    return addresses_of(source) != addresses_of(target)
