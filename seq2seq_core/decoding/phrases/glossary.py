"""Finds the terms of a glossary in sources.

A source is cut into words with their marks, and single characters between words; a term occurs where its parts do. One pass over
the source from its end gives the longest term that begins at each part: an automaton (Aho and Corasick 1975) reads the parts of
all terms from their ends. Its memory is proportional to the characters of the terms, its time to those of the source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from seq2seq_core.decoding.phrases.phrase_matcher import MARK, class_of, decompose, one_space
from seq2seq_core.unspaced_scripts import UNSPACED_CHARACTERS


def comparable(text: str) -> str:
    """The text as it is looked up: canonically equivalent terms are equal, and so are runs of white space."""
    return one_space(decompose(text))


class Glossary:
    """Finds the terms of sources.

    Where terms overlap, the one that begins first counts, and of these the longest.

    Args:
        entries: the phrase of each term.
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self.targets_of = list(dict.fromkeys(entries.values()))
        numbers = {target: number for number, target in enumerate(self.targets_of)}
        self._symbols: dict[str, int] = {}
        self._next: dict[int, int] = {}
        """The state behind each state and symbol, by :meth:`_key`."""
        self._depths, self._symbol_of, self._parents = [0], [0], [0]
        self._terms: dict[int, tuple[int, int]] = {}
        """The longest term that ends in a state: its number of parts, and the number of its phrase."""
        for term, target in entries.items():
            parts = _cut(comparable(term))
            self._terms[self._add(parts)] = (len(parts), numbers[target])
        self._link()

    def targets(self, source: str) -> list[str]:
        """The phrases of the terms that occur in a source, each once, in the order of the terms.

        Args:
            source: a text in the normal form.
        """
        parts, state = [self._symbols.get(part, 0) for part in _cut(comparable(source))], 0
        longest: list[tuple[int, int] | None] = [None] * len(parts)
        for place in range(len(parts) - 1, -1, -1):
            state = self._go(state, parts[place]) if parts[place] else 0
            longest[place] = self._terms.get(state)
        place, found = 0, dict[str, None]()
        while place < len(parts):
            term = longest[place]
            if term is not None:
                found.setdefault(self.targets_of[term[1]])
            place += 1 if term is None else term[0]
        return list(found)

    def _add(self, parts: Sequence[str]) -> int:
        """Adds a term from its end; returns its last state."""
        state = 0
        for part in reversed(parts):
            symbol = self._symbols.setdefault(part, len(self._symbols) + 1)
            after = self._next.setdefault(_key(state, symbol), len(self._depths))
            if after == len(self._depths):
                self._depths.append(self._depths[state] + 1)
                self._symbol_of.append(symbol)
                self._parents.append(state)
            state = after
        return state

    def _link(self) -> None:
        """Finds, for each state, that of the longest shorter reading, and the longest term that ends there."""
        self._fails = [0] * len(self._depths)
        for state in sorted(range(1, len(self._depths)), key=self._depths.__getitem__):
            parent = self._parents[state]
            fail = self._go(self._fails[parent], self._symbol_of[state]) if parent else 0
            self._fails[state] = fail
            if state not in self._terms and fail in self._terms:
                self._terms[state] = self._terms[fail]

    def _go(self, state: int, symbol: int) -> int:
        """The state after one more part."""
        while (after := self._next.get(_key(state, symbol))) is None:
            if not state:
                return 0
            state = self._fails[state]
        return after


def _key(state: int, symbol: int) -> int:
    return state << 32 | symbol


def _cut(text: str) -> list[str]:
    """The words of a text with their marks, and the characters between words."""
    return _parts().findall(text)


@cache
def _parts() -> re.Pattern[str]:
    """A word, or a character that is no part of one; with its marks. Finding all marks takes a moment, so it is done once."""
    planes = (range(0x300, 0x20000), range(0xE0000, 0xE1000))
    marks = "".join(chr(code) for codes in planes for code in codes if class_of.__wrapped__(chr(code)) == MARK)
    word = f"(?![{UNSPACED_CHARACTERS}{marks}])\\w"
    return re.compile(f"{word}(?:{word}|[{marks}])*|.[{marks}]*", re.DOTALL)
