"""What a cleaning rule is: one object in a file of its own in ``corpus/cleaning_rules``, named ``RULE``.

A rule of a text holds for either side of a pair and for monolingual sentences. A rule of a pair compares its sides: sentences, and
recordings with their targets, are never asked by it.
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
        name: that of its file and of its setting, a field of section ``prepare``; the funnel counts by it.
        is_broken: whether a text breaks the rule with these settings.
        is_always_on: whether no value of its setting switches it off; see :func:`is_set` for the others.
        compares_sides: whether it needs a pair: no.
    """

    name: str
    is_broken: Callable[[str, PrepareSection], bool]
    is_always_on: bool = False
    compares_sides: ClassVar[bool] = False

    def is_on(self, section: PrepareSection) -> bool:
        """Whether the settings ask for it."""
        return self.is_always_on or is_set(section, self.name)

    def drops(self, source: str, target: str, section: PrepareSection) -> bool:
        """Whether a pair is to be dropped for either of its texts."""
        return self.is_broken(source, section) or self.is_broken(target, section)


@dataclass(frozen=True)
class PairRule:
    """A reason to drop a pair that only its two sides together give.

    Attributes:
        name: that of its file and of its setting, a field of section ``prepare``; the funnel counts by it.
        is_broken: whether a source and a target break the rule with these settings.
        compares_sides: whether it needs a pair: yes.
    """

    name: str
    is_broken: Callable[[str, str, PrepareSection], bool]
    compares_sides: ClassVar[bool] = True

    def is_on(self, section: PrepareSection) -> bool:
        """Whether the settings ask for it."""
        return is_set(section, self.name)

    def drops(self, source: str, target: str, section: PrepareSection) -> bool:
        """Whether a pair is to be dropped."""
        return self.is_broken(source, target, section)


CleaningRule = TextRule | PairRule


def is_set(section: PrepareSection, name: str) -> bool:
    """Whether the setting of a rule has another value than those that switch rules off: false, 0 and ``none``.

    Args:
        section: with the setting.
        name: of the rule.
    """
    return getattr(section, name) not in (False, 0, "none")
