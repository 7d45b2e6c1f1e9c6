"""Drops a pair with a side that is too many times as long as the other, in characters."""

from __future__ import annotations

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.cleaning_rule import PairRule


def _is_broken(source: str, target: str, section: PrepareSection) -> bool:
    shorter, longer = sorted((len(source), len(target)))
    return longer > section.max_length_ratio * shorter


RULE = PairRule(
    "max_length_ratio",
    _is_broken,
    "greatest(length(source), length(target)) > {max_length_ratio!r}::DOUBLE * least(length(source), length(target))",
)
