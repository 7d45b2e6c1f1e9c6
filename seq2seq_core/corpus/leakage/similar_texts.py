"""Texts that share most of their characters' n-grams with one of many others: MinHash proposes them, the true similarity decides.

MinHash (Broder 1997) in bands finds the texts whose sets of n-grams are likely to be similar. Only these are compared, so that a
false alarm of the hashes drops no text, and the order of the texts changes nothing.
"""

from __future__ import annotations

import unicodedata
from typing import Literal

Side = Literal["source", "target"]
CHARACTERS = 4
"""Length of an n-gram."""
NUM_HASHES, NUM_BANDS = 128, 32
"""Each band of 4 hashes proposes a text with similarity ** 4: of the texts at 0.6, 1 in 80 is missed; at 0.7, 1 in 6,600."""
_SEED = 1


class SimilarTexts:
    """An index of texts, each on a side of a pair.

    Args:
        threshold: smallest Jaccard similarity of two texts' sets of n-grams, from 0 to 1, at which they count as similar.
    """

    def __init__(self, threshold: float) -> None:
        import rensa  # here, because few settings need it

        self.threshold = threshold
        self._new_hash = rensa.RMinHash
        self._index = rensa.RMinHashLSH(threshold=threshold, num_perm=NUM_HASHES, num_bands=NUM_BANDS)
        self._texts: list[tuple[str, Side]] = []
        self._known: set[tuple[str, Side]] = set()

    def add(self, text: str, side: Side) -> None:
        """Adds a text; a text without any letter or digit is left out, as it is similar to nothing.

        Args:
            text: of dev or test.
            side: where it stands.
        """
        folded = _fold(text)
        if not folded or (folded, side) in self._known:
            return
        self._index.insert(len(self._texts), self._hash(_grams(folded)))
        self._texts.append((folded, side))
        self._known.add((folded, side))

    def find_sides(self, text: str) -> set[Side]:
        """The sides on which a similar text stands.

        Args:
            text: of train.
        """
        if not self._texts or not (folded := _fold(text)):
            return set()
        grams = _grams(folded)
        found: set[Side] = set()
        for place in self._index.query(self._hash(grams)):
            other, side = self._texts[place]
            if side not in found and _similarity(grams, _grams(other)) >= self.threshold:
                found.add(side)
        return found

    def _hash(self, grams: set[str]) -> object:
        hashed = self._new_hash(NUM_HASHES, _SEED)
        hashed.update(list(grams))
        return hashed


def _fold(text: str) -> str:
    """A text in NFKC and lower case, with single spaces; empty if it has no letter or digit."""
    folded = " ".join((text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold().split())
    return folded if any(map(str.isalnum, folded)) else ""


def _grams(folded: str) -> set[str]:
    """The n-grams of a text, a space on either side included."""
    padded = f" {folded} "
    return {padded[start : start + CHARACTERS] for start in range(max(1, len(padded) - CHARACTERS + 1))}


def _similarity(one: set[str], other: set[str]) -> float:
    """Jaccard similarity: the share of common elements among all."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)
