"""Finds phrases in a text that grows character by character.

A phrase occurs where its characters stand in the text as whole words: no letter, digit or mark joins its first or its last
character. A run of white space equals one space. A phrase composed by Unicode's canonical composition equals the decomposed one.
Scripts without spaces between words have no such boundaries: there a phrase occurs wherever its characters stand, but never before
a combining mark.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from seq2seq_core.unspaced_scripts import UNSPACED_CHARACTERS

OTHER, WORD, SPACE, MARK = range(4)
"""Classes of characters; a mark also continues a word."""
_UNSPACED = re.compile(f"[{UNSPACED_CHARACTERS}]")
_MOST_STEPS = 100_000


class Match(NamedTuple):
    """What of some phrases was read.

    Attributes:
        partial: pattern and number of its characters, for each pattern that the text's end may be a part of.
        before: the class of the text's last character.
        found: the phrases that occur, whatever follows.
    """

    partial: tuple[tuple[int, int], ...] = ()
    before: int = OTHER
    found: frozenset[int] = frozenset()


@cache
def class_of(character: str) -> int:
    """The class of a character."""
    if character.isspace():
        return SPACE
    if unicodedata.category(character).startswith("M"):
        return MARK
    return WORD if (character.isalnum() or character == "_") and not _UNSPACED.match(character) else OTHER


def one_space(text: str) -> str:
    """The text without white space at its ends, and with one space for each inner run of it."""
    return " ".join(text.split())


class PhraseMatcher:
    """Finds phrases.

    Args:
        phrases: texts that are not empty.

    Attributes:
        patterns: the spellings that are searched for; the matcher's states number them.
        owners: of each pattern, the position of its phrase.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        found: dict[tuple[str, int], None] = {}
        for owner, phrase in enumerate(phrases):
            for form in (phrase, unicodedata.normalize("NFC", phrase), unicodedata.normalize("NFD", phrase)):
                found.setdefault((one_space(form), owner))
        self.patterns, self.owners = [pattern for pattern, _ in found], [owner for _, owner in found]
        self.firsts: dict[str, list[int]] = {}
        """The patterns that begin with a character."""
        for number, pattern in enumerate(self.patterns):
            self.firsts.setdefault(pattern[0], []).append(number)
        self._steps: dict[tuple[Match, str], Match] = {}

    def step(self, match: Match, character: str) -> Match:
        """The match after one more character.

        Args:
            match: before it.
            character: of the text.
        """
        key = (match, character)
        if (after := self._steps.get(key)) is None:
            if len(self._steps) >= _MOST_STEPS:
                self._steps.clear()
            after = self._steps[key] = self._step(match, character)
        return after

    def read(self, match: Match, text: str) -> Match:
        """The match after more text.

        Args:
            match: before it.
            text: any text.
        """
        for character in text:
            match = self.step(match, character)
        return match

    def ended(self, match: Match) -> frozenset[int]:
        """The phrases that occur if the text ends here."""
        return match.found.union(self.owners[pattern] for pattern, _ in self.complete(match))

    def complete(self, match: Match) -> list[tuple[int, int]]:
        """The patterns whose last character is the text's last one: they occur unless the next character joins them."""
        return [one for one in match.partial if one[1] == len(self.patterns[one[0]])]

    def confirms(self, pattern: int, kind: int) -> bool:
        """Whether a complete pattern occurs once a character of a class follows."""
        return kind not in (MARK, WORD) if class_of(self.patterns[pattern][-1]) in (WORD, MARK) else kind != MARK

    def _step(self, match: Match, character: str) -> Match:
        kind = class_of(character)
        if kind == SPACE:
            if match.before == SPACE:
                return match
            character = " "
        partial, found = [], set(match.found)
        for pattern, length in match.partial:
            if length == len(self.patterns[pattern]):
                if self.confirms(pattern, kind):
                    found.add(self.owners[pattern])
            elif self.patterns[pattern][length] == character:
                partial.append((pattern, length + 1))
        if not (match.before in (WORD, MARK) and kind == WORD):
            partial += [(pattern, 1) for pattern in self.firsts.get(character, ())]
        return Match(tuple(partial), kind, frozenset(found))


def phrases_in(text: str, phrases: Sequence[str]) -> list[str]:
    """Those of some phrases that occur in a text, in their order.

    Args:
        text: any text.
        phrases: texts that are not empty.
    """
    matcher = PhraseMatcher(phrases)
    found = matcher.ended(matcher.read(Match(), text))
    return [phrase for place, phrase in enumerate(phrases) if place in found]
