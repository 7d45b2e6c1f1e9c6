"""What a model must beat: hypotheses that cost no training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

COPY_SOURCE = "copy_source"
MEMORISE_ELSE_COPY = "memorise_else_copy"
COMMONEST_TARGET = "commonest_target"


def copy_source(sources: Sequence[str]) -> list[str]:
    """Each source as it is.

    Args:
        sources: of the test set.
    """
    return list(sources)


def memorise_else_copy(train: Iterable[tuple[str, str]], sources: Sequence[str]) -> list[str]:
    """For each source the target that it most often has in train (the earliest of equals); the source itself where it has none.

    Args:
        train: sources and targets; read once, and only those of the test set's sources are kept.
        sources: of the test set.
    """
    targets: dict[str, Counter[str]] = {source: Counter() for source in sources}
    for source, target in train:
        if source in targets:
            targets[source][target] += 1
    return [counts.most_common(1)[0][0] if (counts := targets[source]) else source for source in sources]


def commonest_target(train: Iterable[tuple[str, str]], sources: Sequence[str]) -> list[str]:
    """For each source the target that stands most often in train (the earliest of equals).

    Args:
        train: sources and targets; read once.
        sources: of the test set.
    """
    counts = Counter(target for _, target in train)
    return [counts.most_common(1)[0][0] if counts else ""] * len(sources)
