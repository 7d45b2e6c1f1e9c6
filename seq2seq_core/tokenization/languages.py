"""What a model of several languages is told by: columns of a pair that name its languages, and the symbol that noise puts in."""

from __future__ import annotations

from seq2seq_core.corpus.pairs import SOURCE_LANGUAGE, TARGET_LANGUAGE

MASK_TAG = ("", "mask")
"""The symbol in the place of hidden words, made like a tag: of no column, so that no pair can have it."""


def language_columns(source_language: str, target_language: str) -> dict[str, str]:
    """The columns of a pair of two languages."""
    return {SOURCE_LANGUAGE: source_language, TARGET_LANGUAGE: target_language}
