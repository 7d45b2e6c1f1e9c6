"""Drops a text with a control character or U+FFFD."""

from __future__ import annotations

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.cleaning_rule import TextRule
from seq2seq_core.corpus.file_faults.text_faults import CONTROL_CHARACTER


def _is_broken(text: str, section: PrepareSection) -> bool:
    return CONTROL_CHARACTER.search(text) is not None


RULE = TextRule("drop_control_characters", _is_broken, "has_control_character(text)")
