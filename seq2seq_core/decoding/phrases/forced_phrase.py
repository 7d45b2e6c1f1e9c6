"""A phrase to force, as a model's subwords spell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class ForcedPhrase:
    """A phrase to force.

    Attributes:
        text: the phrase.
        spellings: its ids: after a space, directly after a text, or at the beginning of one.
        lengths: of each spelling, the characters of the phrase that its first ids spell.
    """

    text: str
    spellings: tuple[tuple[int, ...], ...]
    lengths: tuple[tuple[int, ...], ...]

    @cached_property
    def num_ids(self) -> int:
        """Ids of its longest spelling."""
        return max(map(len, self.spellings))


def index_inner_ids(forced: Sequence[ForcedPhrase]) -> dict[int, list[tuple[int, int, int]]]:
    """Where each id stands in a spelling before its end: phrase, spelling, and the number of ids up to it, the largest first.

    Args:
        forced: the phrases.
    """
    found: dict[int, list[tuple[int, int, int]]] = {}
    for place, one in enumerate(forced):
        for number, spelling in enumerate(one.spellings):
            for count, id_ in enumerate(spelling[:-1], start=1):
                found.setdefault(id_, []).append((place, number, count))
    return {id_: sorted(places, key=lambda place: -place[2]) for id_, places in found.items()}
