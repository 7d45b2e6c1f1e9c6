"""The rule that compares a pair with the pairs before it: repetitions within a split.

It stores only 64-bit digests, about seventy bytes per pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from seq2seq_core.config.prepare import Deduplication
from seq2seq_core.corpus.normalization import digest

DEDUPLICATE = "deduplicate"
"""The name of this rule in the funnel."""


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
