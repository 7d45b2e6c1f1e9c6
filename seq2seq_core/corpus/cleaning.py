"""Text normalisation and the rules that drop a pair for what it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import partial

from seq2seq_core.config.prepare import CLEANING_RULES, PrepareSection
from seq2seq_core.corpus.cleaning_rule import CleaningRule
from seq2seq_core.named_modules import load

Rule = Callable[[str, str], bool]
"""Whether a pair (source, target) is to be dropped."""


def normalize_text(text: str, section: PrepareSection) -> str:
    """A text in the configured Unicode normal form and with the configured white space.

    Args:
        text: a source or target.
        section: ``unicode_normalization`` and ``whitespace``.
    """
    if section.unicode_normalization != "none" and not text.isascii():
        text = unicodedata.normalize(section.unicode_normalization, text)
    if section.whitespace == "strip":
        return text.strip()
    return " ".join(text.split()) if section.whitespace == "collapse" else text


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
