"""Drops a text that is too short."""

from __future__ import annotations

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.cleaning_rule import TextRule


def _is_broken(text: str, section: PrepareSection) -> bool:
    return len(text) < section.min_characters


RULE = TextRule("min_characters", _is_broken, "length(text) < {min_characters}")
