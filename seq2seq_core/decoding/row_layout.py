"""The places of hypotheses in the rows of a model's state, where sentences have unequally many of them.

A state has as many rows for each sentence. Where hypotheses of some have ended, a row may be idle, and a sentence may be held more
than once, with some of its hypotheses each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

MOST_IDLE = 1 / 16
"""The share of rows that may be idle: other places cost a copy of the encoded sources."""


@dataclass(frozen=True)
class RowLayout:
    """Where the hypotheses are.

    Attributes:
        places: the row of the state of each hypothesis.
        width: rows for each sentence held.
        num_rows: rows of the state.
    """

    places: list[int]
    width: int
    num_rows: int

    @property
    def is_plain(self) -> bool:
        """Whether each row has its hypothesis, in order."""
        return self.places == list(range(self.num_rows))

    def keep(self, live: Sequence[int]) -> RowLayout:
        """The layout in which the other hypotheses' rows are idle.

        Args:
            live: the hypotheses that go on, by their numbers in :attr:`places`.
        """
        return RowLayout([self.places[number] for number in live], self.width, self.num_rows)

    @property
    def is_shared(self) -> bool:
        """Whether hypotheses share a row."""
        return len(set(self.places)) < len(self.places)

    @property
    def is_idle(self) -> bool:
        """Whether so many rows are idle that other places are worth their cost."""
        return len(self.places) < (1 - MOST_IDLE) * self.num_rows


@dataclass(frozen=True)
class Move:
    """A selection from a state, and the layout after it.

    Attributes:
        layout: the new layout.
        rows: the present row of each new row.
        sentences: the present place of each sentence held.
        keeps_sentences: whether these are the sentences held at present, in order.
    """

    layout: RowLayout
    rows: list[int]
    sentences: list[int]
    keeps_sentences: bool


def regroup(layout: RowLayout, owners: Sequence[int]) -> Move:
    """The move to the fewest rows, each sentence held counted as one more.

    Args:
        layout: the present layout.
        owners: the sentence of each hypothesis; those of one sentence adjacent.
    """
    by_sentence = [
        [place for place, _ in own] for _, own in groupby(zip(layout.places, owners, strict=True), key=lambda one: one[1])
    ]
    counts = [len(places) for places in by_sentence]
    width = min(range(1, max(counts) + 1), key=lambda width: (width + 1) * sum(-(-count // width) for count in counts))
    groups = [places[first : first + width] for places in by_sentence for first in range(0, len(places), width)]
    new_places = [number * width + offset for number, group in enumerate(groups) for offset in range(len(group))]
    rows = [place for group in groups for place in [*group, *[group[0]] * (width - len(group))]]
    sentences = [group[0] // layout.width for group in groups]
    keeps_sentences = sentences == list(range(layout.num_rows // layout.width))
    return Move(RowLayout(new_places, width, len(rows)), rows, sentences, keeps_sentences)
