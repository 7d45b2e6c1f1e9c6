"""Drops a pair with a side that is surely in another language than it should be."""

from __future__ import annotations

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.cleaning_rule import PairRule
from seq2seq_core.corpus.language_identification import is_other


def _is_broken(source: str, target: str, section: PrepareSection) -> bool:
    texts = {"source": source, "target": target}
    return any(is_other(texts[side], language) for side, language in section.drop_other_languages.items())


RULE = PairRule("drop_other_languages", _is_broken)
