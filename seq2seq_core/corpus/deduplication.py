"""Rules that drop a pair for what stands elsewhere: repetitions within a split, sources that leak from dev or test into train.

Each remembers 64-bit digests only, about seventy bytes a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from seq2seq_core.config.prepare import Deduplication, LeakagePolicy
from seq2seq_core.corpus.normalization import digest, normalize_exactly, normalize_nearly

DEDUPLICATE, LEAKAGE = "deduplicate", "leakage"
"""The names of these rules in the funnel."""


class Deduplicator:
    """Tells which pairs repeat an earlier one.

    Args:
        policy: ``none``, ``pair`` (source and target are both the same) or ``source``.
    """

    def __init__(self, policy: Deduplication) -> None:
        self.policy = policy
        self._seen: set[int] = set()

    def is_repeated(self, source: str, target: str, inputs: Sequence[str] = ()) -> bool:
        """Whether an equal pair was asked about before; asking counts as seeing.

        Args:
            source: the source.
            target: the target.
            inputs: the columns that belong to what the model is asked, besides the source.
        """
        match self.policy:
            case "none":
                return False
            case "pair":
                key = digest(source, target, *inputs)
            case "source":
                key = digest(source, *inputs)
            case unknown:
                assert_never(unknown)
        if key in self._seen:
            return True
        self._seen.add(key)
        return False


class LeakageFilter:
    """Tells which texts of train would let the model see those of dev or test: sources of pairs, or monolingual sentences.

    Args:
        policy: ``keep`` (none does), ``exact`` (equal sources) or ``near`` (sources that differ in case, punctuation or spaces).
    """

    def __init__(self, policy: LeakagePolicy) -> None:
        self.policy = policy
        self._protected: set[int] = set()

    def protect(self, source: str, inputs: Sequence[str] = ()) -> None:
        """Notes a text of dev or test, of a source with the columns that belong to what the model is asked."""
        if (key := self._key(source, inputs)) is not None:
            self._protected.add(key)

    def leaks(self, source: str, inputs: Sequence[str] = ()) -> bool:
        """Whether a text of train, of a source with those columns, is one of those noted."""
        return bool(self._protected) and self._key(source, inputs) in self._protected

    def _key(self, source: str, inputs: Sequence[str]) -> int | None:
        """What is compared of a text; None where nothing is."""
        match self.policy:
            case "keep":
                return None
            case "exact":
                return digest(normalize_exactly(source), *inputs)
            case "near":
                return digest(normalize_nearly(source), *inputs)
            case unknown:
                assert_never(unknown)
