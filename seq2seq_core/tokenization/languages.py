"""Inputs of multilingual models: the language columns of a pair, and the mask symbol of noise."""

from __future__ import annotations

from seq2seq_core.corpus.pairs import SOURCE_LANGUAGE, TARGET_LANGUAGE

MASK_TAG = ("", "mask")
"""The mask symbol for hidden words: a tag of an empty column, so that no pair can have it."""


def language_columns(source_language: str, target_language: str) -> dict[str, str]:
    """The language columns of a pair."""
    return {SOURCE_LANGUAGE: source_language, TARGET_LANGUAGE: target_language}
