"""The commonest symbol of each letter: the trivial baseline of pronunciation, where a word becomes symbols with spaces between."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict

LEAST_PAIRS = 20
"""Fewest pairs of train that show what the task is."""
LEAST_SHARE = 0.9
"""Least share of train's pairs that are a word and several symbols."""


def letters_of(word: str) -> list[str]:
    """The letters of a word; those of a Korean syllable are several.

    Args:
        word: a text.
    """
    return [letter for one in word for letter in (unicodedata.normalize("NFD", one) if "가" <= one <= "힣" else one)]


class LetterSymbols:
    """Counts which symbols stand where a letter stands.

    In pairs with as many symbols as letters they stand in the same place. A letter that is in no such pair has the symbols of its
    share of the target, in proportion to the lengths.
    """

    def __init__(self) -> None:
        self._plain, self._rough = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
        self._pairs = self._spelt = 0

    @property
    def fits(self) -> bool:
        """Whether nearly all pairs of train are a word of letters and several symbols with white space between."""
        return self._pairs >= LEAST_PAIRS and self._spelt >= LEAST_SHARE * self._pairs

    def add(self, source: str, target: str) -> None:
        """Counts a pair of train."""
        if len(source) < 2:
            return  # a word of one letter shows nothing
        self._pairs += 1
        symbols = target.split()
        if len(symbols) < 2 or len(source.split()) != 1:
            return
        self._spelt += 1
        letters = letters_of(source)
        number, size = len(letters), len(symbols)
        counts = self._plain if number == size else self._rough
        for place, letter in enumerate(letters):
            counts[letter][" ".join(symbols[place * size // number : (place + 1) * size // number])] += 1

    def spell(self, source: str) -> str:
        """A word, letter by letter by the commonest symbol of each; a letter that train lacks has none.

        Args:
            source: a word.
        """
        found = (self._plain.get(letter) or self._rough.get(letter) for letter in letters_of(source))
        return " ".join(text for counts in found if counts and (text := counts.most_common(1)[0][0]))
