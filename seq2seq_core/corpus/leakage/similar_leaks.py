"""The names of the ways in which a text of train leaks dev or test, and the rule that finds similar texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seq2seq_core.corpus.leakage.similar_texts import Side, SimilarTexts
from seq2seq_core.reproducibility import digest

LEAKAGE = "leakage"
"""The name of the rule in the funnel."""
SIMILAR: dict[Side, str] = {"source": "leakage.similar_source", "target": "leakage.similar_target"}
"""Its names for a text that is similar to one on the same side of dev or test."""
EXCHANGED = "leakage.exchanged"
"""Its name for a text that is similar to one on the other side."""


class SimilarLeaks:
    """Finds texts of train that share most of their characters with a text of dev or test. It keeps the texts of dev and test.

    Args:
        threshold: the similarity from which texts leak, from 0 to 1.
    """

    def __init__(self, threshold: float) -> None:
        self._similar, self._protected = SimilarTexts(threshold), list[tuple[str, ...]]()

    def __reduce__(self) -> tuple[Callable[..., SimilarLeaks], tuple[float, list[tuple[str, ...]]]]:
        """A copy in another process protects the same texts."""
        return _rebuild, (self._similar.threshold, self._protected)

    @property
    def content(self) -> str:
        """Digest of what it protects."""
        return digest([self._similar.threshold, self._protected])

    def protect(self, *texts: str) -> None:
        """Adds a pair of dev or test.

        Args:
            texts: its source and its target.
        """
        self._protected.append(texts)
        for side, text in zip(SIMILAR, texts, strict=True):
            self._similar.add(text, side)

    def find(self, *texts: str) -> str:
        """The name of the way in which a pair or sentence of train leaks dev or test; empty: it does not.

        Args:
            texts: source and target, or a sentence, which is compared with both sides.
        """
        if len(texts) == 1:
            sides = self._similar.find_sides(texts[0])
            return next((rule for side, rule in SIMILAR.items() if side in sides), "")
        found = {side: self._similar.find_sides(text) for side, text in zip(SIMILAR, texts, strict=True)}
        same = next((rule for side, rule in SIMILAR.items() if side in found[side]), "")
        return same or (EXCHANGED if any(found.values()) else "")


def _rebuild(threshold: float, protected: Sequence[tuple[str, ...]]) -> SimilarLeaks:
    leaks = SimilarLeaks(threshold)
    for texts in protected:
        leaks.protect(*texts)
    return leaks


def leakage_rules(policy: str) -> list[str]:
    """The names in the funnel of the pairs that a policy drops.

    Args:
        policy: ``prepare.leakage``.
    """
    return [LEAKAGE, *SIMILAR.values(), EXCHANGED] if policy == "similar" else [LEAKAGE]
