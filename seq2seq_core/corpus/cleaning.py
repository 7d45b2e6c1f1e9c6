"""Text normalisation and the rules that drop a pair for what it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.text_faults import CONTROL_CHARACTER

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
    """The rules that are switched on, by the names of their fields, in the order in which they are tried.

    Args:
        section: thresholds and switches.
    """
    rules: dict[str, Rule] = {}
    if section.drop_control_characters:
        rules["drop_control_characters"] = _has_control_character
    if section.drop_copies:
        rules["drop_copies"] = lambda source, target: source == target
    rules["min_characters"] = lambda source, target: min(len(source), len(target)) < section.min_characters
    rules["max_characters"] = lambda source, target: max(len(source), len(target)) > section.max_characters
    if section.max_length_ratio:
        rules["max_length_ratio"] = lambda source, target: _is_lopsided(source, target, section.max_length_ratio)
    return rules


def text_rules(section: PrepareSection) -> dict[str, Rule]:
    """The rules that hold for a text alone, given as both sides of a pair: not those that compare a pair's sides.

    Args:
        section: thresholds and switches.
    """
    return {name: rule for name, rule in cleaning_rules(section).items() if name not in ("drop_copies", "max_length_ratio")}


def _has_control_character(source: str, target: str) -> bool:
    return bool(CONTROL_CHARACTER.search(source) or CONTROL_CHARACTER.search(target))


def _is_lopsided(source: str, target: str, limit: float) -> bool:
    shorter, longer = sorted((len(source), len(target)))
    return longer > limit * shorter
