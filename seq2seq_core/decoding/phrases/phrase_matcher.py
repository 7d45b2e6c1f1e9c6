"""Finds phrases in a text that grows character by character.

A phrase occurs where its characters stand in the text as whole words: no letter, digit or mark joins its first or its last
character. A run of white space equals one space. Canonically equivalent texts are equal: phrases and text are compared in the
form NFD. Scripts without spaces between words have no such boundaries: there a phrase occurs wherever its characters stand, but
never before a combining mark. A mark counts as a part of the character that it stands on.

An automaton searches for all phrases at once (Aho and Corasick 1975). Its memory is proportional to their characters, and it
remembers one number of a text. A character that begins a word is another symbol than the same one inside a word, so a phrase
matches only where a word begins.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from seq2seq_core.unspaced_scripts import UNSPACED_CHARACTERS

OTHER, WORD, SPACE, MARK = range(4)
"""Classes of characters; a mark also continues a word."""
_UNSPACED = re.compile(f"[{UNSPACED_CHARACTERS}]")
_HALF_WIDTH_MARKS = "\uff9e\uff9f"
"""The voicing marks of half-width kana, which have a place of their own."""
_BEGIN = "<"
"""Stands in front of a character that begins a word."""
_MOST_STEPS = 2000


class Match(NamedTuple):
    """What of some phrases was read.

    Attributes:
        state: the automaton's: the longest beginning of a phrase with which the text ends.
        before: the class of the text's last character without its marks.
        found: the phrases that occur, whatever follows.
        marks: the text's last combining marks, whose canonical order is open until another character follows.
    """

    state: int = 0
    before: int = OTHER
    found: frozenset[int] = frozenset()
    marks: str = ""


@cache
def class_of(character: str) -> int:
    """The class of a character."""
    if character.isspace():
        return SPACE
    if unicodedata.category(character).startswith("M") or character in _HALF_WIDTH_MARKS:
        return MARK
    return WORD if (character.isalnum() or character == "_") and not _UNSPACED.match(character) else OTHER


def one_space(text: str) -> str:
    """The text without white space at its ends, and with one space for each inner run of it."""
    return " ".join(text.split())


def decompose(text: str) -> str:
    """The form in which texts are compared: canonically equivalent ones are equal."""
    return unicodedata.normalize("NFD", text)


def class_behind(before: int, kind: int) -> int:
    """The class that a text ends with, behind a character: a mark has that of the character that it stands on.

    Args:
        before: the class that the text ended with.
        kind: the character's class.
    """
    return kind if kind != MARK else WORD if before == WORD else OTHER


class PhraseMatcher:
    """Finds phrases.

    Args:
        phrases: texts that are not empty.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        self._next: dict[tuple[int, str], int] = {}
        self._expected, self._depths, self._fails, self._parents = [""], [0], [0], [0]
        self._own: dict[int, list[int]] = {}
        """The phrases that end in a state."""
        self._ends: dict[int, list[int]] = {}
        """The last states of a phrase."""
        for owner, phrase in enumerate(phrases):
            text = one_space(decompose(phrase))
            for before in (OTHER, WORD) if class_of(text[0]) == MARK else (OTHER,):
                state = self._add(text, before)
                self._own.setdefault(state, []).append(owner)
                self._ends.setdefault(owner, []).append(state)
        self._link()
        self._steps: dict[tuple[Match, str], Match] = {}

    @property
    def firsts(self) -> set[str]:
        """The characters that phrases begin with."""
        return set(self._expected[0])

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
            after = match
            for one in character if character.isascii() else decompose(character):
                if unicodedata.combining(one):
                    after = after._replace(marks=after.marks + one)
                else:
                    after = self._feed(self.settle(after), one)
            self._steps[key] = after
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

    def settle(self, match: Match) -> Match:
        """The match if no further mark follows."""
        if not match.marks:
            return match
        marks, match = sorted(match.marks, key=unicodedata.combining), match._replace(marks="")
        for mark in marks:
            match = self._feed(match, mark)
        return match

    def ended(self, match: Match) -> frozenset[int]:
        """The phrases that occur if the text ends here."""
        match = self.settle(match)
        return match.found.union(self.complete(match))

    def complete(self, match: Match) -> list[int]:
        """The phrases whose last character is the text's last one: they occur unless the next character joins them."""
        return [owner for state in self._chain(match.state) for owner in self._own.get(state, ())]

    def confirms(self, match: Match, kind: int) -> bool:
        """Whether complete phrases occur once a character of a class follows."""
        return kind != MARK and not (kind == WORD and match.before == WORD)

    def expected(self, match: Match) -> set[str]:
        """The characters that go on with a phrase that has begun."""
        return set().union(*(self._expected[state] for state in self._chain(match.state)))

    def depth(self, match: Match) -> int:
        """The characters of the phrase that the text has come farthest with."""
        return self._depths[self.settle(match).state]

    def is_in(self, match: Match, owner: int, depth: int) -> bool:
        """Whether the text ends with so many characters of a phrase.

        Args:
            match: of the text.
            owner: the phrase.
            depth: how many.
        """
        wanted = {self._ancestor(end, depth) for end in self._ends[owner]}
        return any(state in wanted for state in self._chain(self.settle(match).state))

    def _add(self, text: str, before: int) -> int:
        """Adds a spelling; returns its last state."""
        state = 0
        for character in text:
            symbol, before = _symbol(before, character)
            if (after := self._next.get((state, symbol))) is None:
                after = self._next[state, symbol] = len(self._fails)
                self._expected[state] += character
                self._expected.append("")
                self._depths.append(self._depths[state] + 1)
                self._parents.append(state)
                self._fails.append(0)
            state = after
        return state

    def _link(self) -> None:
        """Finds, for each state, the state of the longest proper ending of its text that begins a phrase."""
        for (state, symbol), after in sorted(self._next.items(), key=lambda item: self._depths[item[1]]):
            self._fails[after] = self._go(self._fails[state], symbol) if state else 0

    def _go(self, state: int, symbol: str) -> int:
        """The state after one more symbol."""
        while (after := self._next.get((state, symbol))) is None:
            if not state:
                return 0
            state = self._fails[state]
        return after

    def _feed(self, match: Match, character: str) -> Match:
        """The match after one more character of the compared form."""
        kind = class_of(character)
        if kind == SPACE and match.before == SPACE:
            return match
        found = match.found
        if match.state and self.confirms(match, kind) and (complete := self.complete(match)):
            found = found.union(complete)
        symbol, before = _symbol(match.before, " " if kind == SPACE else character)
        return Match(self._go(match.state, symbol), before, found)

    def _chain(self, state: int) -> Iterator[int]:
        """The states of all beginnings of phrases with which a text ends, the longest first."""
        while state:
            yield state
            state = self._fails[state]

    def _ancestor(self, state: int, depth: int) -> int:
        """The state after the first characters of a phrase; 0: it has fewer."""
        if depth > self._depths[state]:
            return 0
        while self._depths[state] > depth:
            state = self._parents[state]
        return state


def _symbol(before: int, character: str) -> tuple[str, int]:
    """The automaton's symbol of a character, and the class that the text ends with behind it."""
    kind = class_of(character)
    return (_BEGIN + character if kind == WORD and before != WORD else character), class_behind(before, kind)


def phrases_in(text: str, phrases: Sequence[str]) -> list[str]:
    """Those of some phrases that occur in a text, in their order.

    Args:
        text: any text.
        phrases: texts that are not empty.
    """
    matcher = PhraseMatcher(phrases)
    found = matcher.ended(matcher.read(Match(), text))
    return [phrase for place, phrase in enumerate(phrases) if place in found]
