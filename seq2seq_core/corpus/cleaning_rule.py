"""Cleaning rules: each is one object ``RULE`` in its own file of ``corpus/cleaning_rules``.

A text rule applies to each side of a pair and to monolingual sentences. A pair rule compares the two sides of a pair; it never
applies to monolingual sentences or to recordings with their targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from seq2seq_core.config.prepare import PrepareSection


@dataclass(frozen=True)
class TextRule:
    """A reason to drop a text, or a pair for either of its sides.

    Attributes:
        name: the name of its file, of its setting in section ``prepare``, and of its count in the funnel.
        is_broken: whether a text breaks the rule with these settings.
        condition: the same in DuckDB's SQL, about ``text``, with settings in braces; empty: the function is called.
        compares_sides: False: it needs no pair.
    """

    name: str
    is_broken: Callable[[str, PrepareSection], bool]
    condition: str = ""
    compares_sides: ClassVar[bool] = False

    def drops(self, source: str, target: str, section: PrepareSection) -> bool:
        """Whether to drop a pair because of either text."""
        return self.is_broken(source, section) or self.is_broken(target, section)


@dataclass(frozen=True)
class PairRule:
    """A reason to drop a pair, found by comparing its sides.

    Attributes:
        name: the name of its file, of its setting in section ``prepare``, and of its count in the funnel.
        is_broken: whether a source and a target break the rule with these settings.
        condition: the same in DuckDB's SQL, about ``source`` and ``target``; empty: the function is called.
        compares_sides: True: it needs a pair.
    """

    name: str
    is_broken: Callable[[str, str, PrepareSection], bool]
    condition: str = ""
    compares_sides: ClassVar[bool] = True

    def drops(self, source: str, target: str, section: PrepareSection) -> bool:
        """Whether to drop a pair."""
        return self.is_broken(source, target, section)


CleaningRule = TextRule | PairRule
