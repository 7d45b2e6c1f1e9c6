"""Drops a text that is too long."""

from __future__ import annotations

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.cleaning_rule import TextRule


def _is_broken(text: str, section: PrepareSection) -> bool:
    return len(text) > section.max_characters


RULE = TextRule("max_characters", _is_broken, "length(text) > {max_characters}")
