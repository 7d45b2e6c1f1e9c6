"""The rule that compares texts of train with those of dev and test.

It stores 64-bit digests of dev and test, about seventy bytes per text; ``similar`` keeps their texts as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from seq2seq_core.config.prepare import LeakagePolicy
from seq2seq_core.corpus.leakage.similar_texts import Side, SimilarTexts
from seq2seq_core.corpus.normalization import digest, normalize_exactly, normalize_nearly

LEAKAGE = "leakage"
"""The name of the rule in the funnel."""
SIMILAR: dict[Side, str] = {"source": "leakage.similar_source", "target": "leakage.similar_target"}
"""Its names for a text that is similar to one on the same side of dev or test."""
EXCHANGED = "leakage.exchanged"
"""Its name for a text that is similar to one on the other side."""


class LeakageFilter:
    """Detects texts of train that leak dev or test: sources of pairs, or monolingual sentences.

    Args:
        policy: ``keep`` (no check), ``exact`` (equal sources), ``near`` (sources that differ in case, punctuation or spaces) or
            ``similar`` (these, and texts on either side that share most of their characters with a text on either side).
        threshold: of ``similar``, the similarity from which texts leak, from 0 to 1.
    """

    def __init__(self, policy: LeakagePolicy, threshold: float = 1.0) -> None:
        self.policy = policy
        self._protected: set[int] = set()
        self._similar = SimilarTexts(threshold) if policy == "similar" else None

    @property
    def rules(self) -> list[str]:
        """The names in the funnel of what :meth:`find` finds."""
        return [LEAKAGE] if self._similar is None else [LEAKAGE, *SIMILAR.values(), EXCHANGED]

    def protect(self, source: str, inputs: Sequence[str] = (), texts: Sequence[str] | None = None) -> None:
        """Adds a text of dev or test.

        Args:
            source: the source, or a sentence.
            inputs: values of its input columns.
            texts: source and target where they are to be compared for similarity; None: ``source`` alone.
        """
        if (key := self._key(source, inputs)) is not None:
            self._protected.add(key)
        if self._similar is not None:
            for side, text in zip(SIMILAR, (source,) if texts is None else texts, strict=False):
                self._similar.add(text, side)

    def leaks(self, source: str, inputs: Sequence[str] = ()) -> bool:
        """Whether a text of train equals, by the policy, one that :meth:`protect` added, input columns included."""
        return bool(self._protected) and self._key(source, inputs) in self._protected

    def find(self, source: str, inputs: Sequence[str] = (), texts: Sequence[str] | None = None) -> str | None:
        """The name of the way in which a text or pair of train leaks dev or test; None: it does not.

        Args:
            source: the source, or a sentence.
            inputs: values of its input columns; only ``exact`` and ``near`` tell sources apart by them.
            texts: source and target; None: ``source`` alone, which is compared with both sides.
        """
        if self.leaks(source, inputs):
            return LEAKAGE
        if self._similar is None:
            return None
        if texts is None:
            sides = self._similar.find_sides(source)
            return next((rule for side, rule in SIMILAR.items() if side in sides), None)
        found = {side: self._similar.find_sides(text) for side, text in zip(SIMILAR, texts, strict=True)}
        same = next((rule for side, rule in SIMILAR.items() if side in found[side]), None)
        return same or (EXCHANGED if any(found.values()) else None)

    def _key(self, source: str, inputs: Sequence[str]) -> int | None:
        """The digest to compare; None with policy ``keep``."""
        match self.policy:
            case "keep":
                return None
            case "exact":
                return digest(normalize_exactly(source), *inputs)
            case "near" | "similar":
                return digest(normalize_nearly(source), *inputs)
            case unknown:
                assert_never(unknown)
