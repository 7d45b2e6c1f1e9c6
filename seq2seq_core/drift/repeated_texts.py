"""How many rows repeat the text of another row, comparable between corpora of different sizes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

MAX_KEYS = 1 << 20
KEYS = 1 << 32
MOST_TIMES = 1000
"""Texts that stand more often count as standing so often."""


class KeySample:
    """The keys of some texts: all of them, or those below a bound that falls while they are too many.

    A text is in the sample with all of its rows or with none, so that the sample repeats as the corpus does.
    """

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self.bound, self._max_keys = KEYS, max_keys
        self._parts: list[NDArray[np.uint32]] = []
        self._size = 0

    def add(self, keys: NDArray[np.uint32]) -> None:
        """Adds the keys of some rows, evenly spread over 32 bits."""
        self._parts.append(keys[keys < self.bound])
        self._size += len(self._parts[-1])
        while self._size > self._max_keys and self.bound > 1:
            self.bound //= 2
            merged = np.concatenate(self._parts)
            self._parts = [merged[merged < self.bound]]
            self._size = len(self._parts[0])

    def spectrum(self) -> dict[int, int]:
        """How many texts stand once, twice, and so on."""
        if not self._size:
            return {}
        _, times = np.unique(np.concatenate(self._parts), return_counts=True)
        found, counts = np.unique(np.minimum(times, MOST_TIMES), return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))


def repeated_share(spectrum: Mapping[int, int], share: float = 1.0) -> float:
    """The share of rows whose text an earlier row has, expected in a random part of a corpus (rarefaction, Hurlbert 1971).

    The whole corpus repeats more than a part of it: two corpora are compared at the size of the smaller one.

    Args:
        spectrum: how many texts stand once, twice, and so on.
        share: size of the part, as a share of the corpus.
    """
    rows = share * sum(times * texts for times, texts in spectrum.items())
    if not rows:
        return 0.0
    distinct = sum(texts * (1.0 - (1.0 - share) ** times) for times, texts in spectrum.items())
    return max(0.0, 1.0 - distinct / rows)


def cluster_size(spectrum: Mapping[int, int]) -> float:
    """How many rows share a repeated text, as a random repeated row sees it; 1 where none is repeated."""
    rows = sum(times * texts for times, texts in spectrum.items() if times > 1)
    return sum(times * times * texts for times, texts in spectrum.items() if times > 1) / rows if rows else 1.0
