"""Lengths, characters and scripts of texts, counted in arrays: no Python object per character."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
MAX_CHARACTERS = 2000
"""Characters of a text that are counted, the first ones; its length counts whole."""
NUM_CODES = 0x110000
NO_LETTER = "none"

_STEPS = 8
LENGTH_EDGES = np.array([*range(1, 32), *(round(2 ** (step / _STEPS)) for step in range(5 * _STEPS, 20 * _STEPS + 1))])
"""The lower ends of all bins of lengths but the first: one for each length below 32, then eight for each doubling."""
RATIO_EDGES = np.array([2.0 ** (step / _STEPS) for step in range(-4 * _STEPS, 4 * _STEPS + 1)])
"""The same for the ratio of the lengths of target and source, from 1/16 to 16."""


def measure_lengths(texts: Sequence[str]) -> Counts:
    """The length of each text in characters."""
    return np.fromiter(map(len, texts), np.int64, len(texts))


def length_bins(lengths: Counts) -> Counts:
    """The bin of each length."""
    return np.searchsorted(LENGTH_EDGES, lengths, side="right")


def ratio_bins(source_lengths: Counts, target_lengths: Counts) -> Counts:
    """The bin of the ratio of each pair's lengths, target over source; an empty text counts as one character."""
    return np.searchsorted(RATIO_EDGES, np.maximum(target_lengths, 1) / np.maximum(source_lengths, 1), side="right")


def character_codes(texts: Sequence[str]) -> tuple[NDArray[np.uint32], Counts]:
    """The code points of some texts, one text after the other, and how many there are of each.

    Args:
        texts: of longer ones the first :data:`MAX_CHARACTERS` characters.
    """
    cut = [text[:MAX_CHARACTERS] for text in texts]
    codes = np.frombuffer("".join(cut).encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
    return codes, measure_lengths(cut)


def count_by_row(bins: Counts, lengths: Counts, num_bins: int) -> NDArray[np.float32]:
    """How often each row has each bin.

    Args:
        bins: of the values of all rows, one row after the other.
        lengths: the number of values of each row.
        num_bins: the number of bins.
    """
    rows = np.repeat(np.arange(len(lengths)), lengths)
    flat = np.bincount(rows * num_bins + bins, minlength=len(lengths) * num_bins)
    return flat.reshape(len(lengths), num_bins).astype(np.float32)


def script_of_character(character: str) -> str:
    """The script of a letter by its Unicode name, such as ``latin``; ``none`` for what is no letter."""
    if not character.isalpha():
        return NO_LETTER
    return unicodedata.name(character, NO_LETTER).partition(" ")[0].lower()


def count_scripts(characters: Mapping[str, int]) -> dict[str, int]:
    """The number of characters of each script, the most frequent one first; of equally frequent ones the first by name.

    Args:
        characters: the number of each.
    """
    counts: dict[str, int] = {}
    for character, count in characters.items():
        script = script_of_character(character)
        counts[script] = counts.get(script, 0) + count
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
