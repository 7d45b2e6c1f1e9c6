"""Counts of tokens: of a side, a split, the sentences of a language."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from seq2seq_core.tokenization.flat_rows import FlatRows


@dataclass
class SideCounts:
    """Counts of the tokens (eos included) or frames written for one side of a split; no frame is unknown.

    Attributes:
        byte_ids: the ids that stand for a byte; empty: there are none.
        spelt: tokens that are such ids.
    """

    rows: int = 0
    tokens: int = 0
    unknown: int = 0
    longest: int = 0
    byte_ids: range = range(0)
    spelt: int = 0

    def add(self, rows: FlatRows) -> None:
        """Counts some rows of ids or frames."""
        self.rows += len(rows)
        self.tokens += len(rows.values)
        self.unknown += rows.num_unknown
        if self.byte_ids:
            self.spelt += int(np.count_nonzero((rows.values >= self.byte_ids.start) & (rows.values < self.byte_ids.stop)))
        self.longest = max(self.longest, rows.longest)

    @property
    def unknown_fraction(self) -> float:
        """Share of unknown ids among the tokens."""
        return self.unknown / self.tokens if self.tokens else 0.0

    @property
    def uncovered_fraction(self) -> float:
        """Share of the tokens that are unknown ids or stand for a byte."""
        return (self.unknown + self.spelt) / self.tokens if self.tokens else 0.0

    @property
    def mean_tokens(self) -> float:
        """Mean tokens per row."""
        return self.tokens / self.rows if self.rows else 0.0


@dataclass
class SplitCounts:
    """Counts of the pairs of a split.

    Attributes:
        source: tokens of the sources.
        target: tokens of the targets.
        dropped_too_long: pairs left out.
        truncated_sources: sources that were cut.
        groups: pairs written of each group, by name, in the order of the groups' numbers.
    """

    source: SideCounts = field(default_factory=SideCounts)
    target: SideCounts = field(default_factory=SideCounts)
    dropped_too_long: int = 0
    truncated_sources: int = 0
    groups: dict[str, int] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def pairs(self) -> int:
        """Pairs written."""
        return self.source.rows

    def number_group(self, name: str) -> int:
        """The number of a group, in order of first appearance; also counts a pair of it."""
        self.groups[name] = self.groups.get(name, 0) + 1
        return self._numbers.setdefault(name, len(self._numbers))


@dataclass
class SentenceCounts:
    """Counts of the monolingual sentences of a language."""

    text: SideCounts = field(default_factory=SideCounts)
    dropped_too_long: int = 0
