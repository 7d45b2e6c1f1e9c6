"""The cleaning rules in use, which drop pairs by their own content."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from seq2seq_core.config.prepare import CLEANING_RULES, PrepareSection
from seq2seq_core.corpus.cleaning_rule import CleaningRule
from seq2seq_core.named_modules import load

Rule = Callable[[str, str], bool]
"""Whether to drop a pair (source, target)."""


def cleaning_rules(section: PrepareSection) -> dict[str, Rule]:
    """The rules that are on, by name, in the order of the section's fields; they are tried in this order.

    Args:
        section: thresholds and switches.
    """
    return {rule.name: partial(rule.drops, section=section) for rule in rules_in_use(section)}


def rules_in_use(section: PrepareSection) -> list[CleaningRule]:
    """The rules that are on, in the order of the section's fields.

    Args:
        section: thresholds and switches.
    """
    return [load(CLEANING_RULES, name).RULE for name in section.rules_in_use()]


def text_rules(section: PrepareSection) -> list[CleaningRule]:
    """The rules of :func:`rules_in_use` that need no second text, for monolingual sentences and the transcripts of recordings.

    Args:
        section: thresholds and switches.
    """
    return [rule for rule in rules_in_use(section) if not rule.compares_sides]
