"""The rules that drop a pair for what it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from seq2seq_core.config.prepare import CLEANING_RULES, PrepareSection
from seq2seq_core.corpus.cleaning_rule import CleaningRule
from seq2seq_core.named_modules import load

Rule = Callable[[str, str], bool]
"""Whether a pair (source, target) is to be dropped."""


def cleaning_rules(section: PrepareSection) -> dict[str, Rule]:
    """The rules that are switched on, by their names, in the order in which they are tried: that of the fields of the section.

    Args:
        section: thresholds and switches.
    """
    return {rule.name: partial(rule.drops, section=section) for rule in rules_in_use(section)}


def text_rules(section: PrepareSection) -> dict[str, Rule]:
    """Those of :func:`cleaning_rules` that hold for a text alone, given as both sides of a pair.

    Args:
        section: thresholds and switches.
    """
    return {rule.name: partial(rule.drops, section=section) for rule in rules_in_use(section) if not rule.compares_sides}


def rules_in_use(section: PrepareSection) -> list[CleaningRule]:
    """The rules that are switched on, in the order of the fields of the section.

    Args:
        section: thresholds and switches.
    """
    found: list[CleaningRule] = [load(CLEANING_RULES, name).RULE for name in section.rule_names()]
    return [rule for rule in found if rule.is_on(section)]
