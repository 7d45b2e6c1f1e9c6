"""Rules that compare a pair with other pairs: repetitions within a split, and leakage of dev or test into train.

Each rule stores only 64-bit digests, about seventy bytes per text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from seq2seq_core.config.prepare import Deduplication, LeakagePolicy
from seq2seq_core.corpus.normalization import digest, normalize_exactly, normalize_nearly

DEDUPLICATE, LEAKAGE = "deduplicate", "leakage"
"""The names of these rules in the funnel."""


class Deduplicator:
    """Detects pairs that repeat an earlier one.

    Args:
        policy: ``none``, ``pair`` (source and target are both the same) or ``source``.
    """

    def __init__(self, policy: Deduplication) -> None:
        self.policy = policy
        self._seen: set[int] = set()

    def is_repeated(self, source: str, target: str, inputs: Sequence[str] = ()) -> bool:
        """Whether an equal pair was passed before; each call adds its pair.

        Args:
            source: the source.
            target: the target.
            inputs: values of the columns that are part of the model's input, besides the source.
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
    """Detects texts of train that leak dev or test: sources of pairs, or monolingual sentences.

    Args:
        policy: ``keep`` (no check), ``exact`` (equal sources) or ``near`` (sources that differ in case, punctuation or spaces).
    """

    def __init__(self, policy: LeakagePolicy) -> None:
        self.policy = policy
        self._protected: set[int] = set()

    def protect(self, source: str, inputs: Sequence[str] = ()) -> None:
        """Adds a text of dev or test; for a source, with the values of its input columns."""
        if (key := self._key(source, inputs)) is not None:
            self._protected.add(key)

    def leaks(self, source: str, inputs: Sequence[str] = ()) -> bool:
        """Whether a text of train equals one that :meth:`protect` added, input columns included."""
        return bool(self._protected) and self._key(source, inputs) in self._protected

    def _key(self, source: str, inputs: Sequence[str]) -> int | None:
        """The digest to compare; None with policy ``keep``."""
        match self.policy:
            case "keep":
                return None
            case "exact":
                return digest(normalize_exactly(source), *inputs)
            case "near":
                return digest(normalize_nearly(source), *inputs)
            case unknown:
                assert_never(unknown)
