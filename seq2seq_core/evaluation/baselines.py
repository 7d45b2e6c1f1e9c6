"""Baselines that a model must beat: hypotheses without training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

COPY_SOURCE = "copy_source"
MEMORISE_ELSE_COPY = "memorise_else_copy"
COMMONEST_TARGET = "commonest_target"
NEAREST_PICTURE = "nearest_picture"


def copy_source(sources: Sequence[str]) -> list[str]:
    """Each source unchanged.

    Args:
        sources: the sources of the test set.
    """
    return list(sources)


def memorise_else_copy(train: Iterable[tuple[str, str]], sources: Sequence[str]) -> list[str]:
    """For each source its most frequent target in train (the earliest among equals); the source itself if train lacks it.

    Args:
        train: sources and targets; read once, and only those of the test set's sources are kept.
        sources: the sources of the test set.
    """
    targets: dict[str, Counter[str]] = {source: Counter() for source in sources}
    for source, target in train:
        if source in targets:
            targets[source][target] += 1
    return [counts.most_common(1)[0][0] if (counts := targets[source]) else source for source in sources]


def commonest_target(train: Iterable[tuple[str, str]], sources: Sequence[str]) -> list[str]:
    """For each source the most frequent target of train (the earliest among equals).

    Args:
        train: sources and targets; read once.
        sources: the sources of the test set.
    """
    counts = Counter(target for _, target in train)
    return [counts.most_common(1)[0][0] if counts else ""] * len(sources)
