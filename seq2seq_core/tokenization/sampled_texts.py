"""The sample of texts that a subword model is trained on."""

from __future__ import annotations

import random
from collections.abc import Iterable


def sample_texts(texts: Iterable[str], limit: int) -> list[str]:
    """A uniform sample of at most ``limit`` texts, in their order; the same sample at every call.

    Args:
        texts: read once (algorithm R, Vitter 1985).
        limit: most texts; 0: all.
    """
    if limit == 0:
        return list(texts)
    chance = random.Random(0)
    kept: list[tuple[int, str]] = []
    for index, text in enumerate(texts):
        if index < limit:
            kept.append((index, text))
        elif (place := chance.randrange(index + 1)) < limit:
            kept[place] = (index, text)
    return [text for _, text in sorted(kept)]
