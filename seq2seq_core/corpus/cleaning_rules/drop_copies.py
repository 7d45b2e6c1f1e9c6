"""Drops a pair whose target equals its source."""

from __future__ import annotations

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.cleaning_rule import PairRule


def _is_broken(source: str, target: str, section: PrepareSection) -> bool:
    return source == target


RULE = PairRule("drop_copies", _is_broken, "source = target")
