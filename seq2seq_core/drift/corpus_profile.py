"""The profile of a corpus: bounded counts, and what chance does to them, so that a later corpus is compared without this one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from seq2seq_core.drift.text_counts import LENGTH_EDGES, RATIO_EDGES
from seq2seq_core.errors import UserError

PROFILE_FILE = "corpus_profile.json"
"""Its name beside a registered version's lineage, and in ``reports``."""
Side = Literal["source", "target"]
SIDES: tuple[Side, ...] = ("source", "target")
Level = Annotated[str, Field(pattern=r"^0\.\d+$")]
"""A chance, as a key of JSON."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _check_lengths(number: int, **lists: Sequence[object]) -> None:
    for name, values in lists.items():
        if len(values) != number:
            raise ValueError(f"{name} must have {number} entries, got {len(values)}")


class PieceCounts(_Part):
    """How often a vocabulary's pieces stand in a sample of the rows."""

    vocabulary: str
    """Digest of the subword model."""
    rows: int
    ids: list[int]
    """The most frequent ones, in that order."""
    counts: list[int]
    shown: list[str]
    """The texts of the first ones."""
    unlisted: int
    """Pieces that are not in the list."""

    @model_validator(mode="after")
    def _lists_go_together(self) -> Self:
        _check_lengths(len(self.ids), counts=self.counts, shown=[*self.shown, *self.ids[len(self.shown) :]])
        return self


class SideProfile(_Part):
    """The texts of one side."""

    lengths: list[int]
    """Rows by bin of length (:data:`~seq2seq_core.drift.text_counts.LENGTH_EDGES`), without the empty bins at the end."""
    mean_length: float
    length_deviation: float
    characters: str
    """The most frequent ones, in that order."""
    counts: list[int]
    unlisted: int
    """Characters that are not in the list."""
    repeats: dict[int, int] = {}
    """How many texts stand once, twice, and so on; of a large corpus a sample of its texts."""
    pieces: PieceCounts | None = None

    @model_validator(mode="after")
    def _lists_go_together(self) -> Self:
        _check_lengths(len(self.characters), counts=self.counts)
        if len(self.lengths) > len(LENGTH_EDGES) + 1:
            raise ValueError(f"lengths must have at most {len(LENGTH_EDGES) + 1} bins, got {len(self.lengths)}")
        return self

    def character_counts(self) -> dict[str, int]:
        """The listed characters with their numbers."""
        return dict(zip(self.characters, self.counts, strict=True))


class Chance(_Part):
    """How far random parts of the corpus differ from one another, by effective size ``n m / (n + m)`` of two parts.

    A threshold is a measure's spread times a factor for all measures together (the greatest statistic of Westfall and Young 1993),
    divided by the square root of the effective size.
    """

    resamples: int
    names: list[str]
    sizes: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    """Effective sizes that were drawn, ascending."""
    spreads: list[list[float]]
    """By size and measure: the effect that one of a hundred splits exceeds, times the square root of the size."""
    factors: dict[Level, list[float]] = Field(min_length=1)
    """By chance of any false alarm, and by size."""

    @model_validator(mode="after")
    def _lists_go_together(self) -> Self:
        _check_lengths(len(self.sizes), spreads=self.spreads, **self.factors)
        for spreads in self.spreads:
            _check_lengths(len(self.names), spreads=spreads)
        return self

    def threshold(self, name: str, size: float, alpha: float) -> float:
        """The effect that chance exceeds in any measure with at most the probability ``alpha``.

        Args:
            name: of the measure.
            size: the effective size of the two corpora.
            alpha: between the lowest and the highest one that is stored; others count as the nearest of these.
        """
        place, logs = self.names.index(name), np.log(self.sizes)
        spread = np.interp(math.log(size), logs, [spreads[place] for spreads in self.spreads])
        levels = sorted((float(level), factors) for level, factors in self.factors.items())
        by_level = [np.interp(math.log(size), logs, factors) for _, factors in levels]
        factor = np.interp(math.log(alpha), [math.log(level) for level, _ in levels], by_level)
        return float(spread * factor / math.sqrt(size))


class Profile(_Part):
    """The profile of a corpus, or of a sample of texts."""

    format: Literal[1] = 1
    rows: int = Field(ge=0)
    counted: int = Field(ge=0)
    """Rows whose texts are counted: all, or a sample by their content."""
    source: SideProfile | None
    """None where the sources are recordings."""
    target: SideProfile | None
    """None where there are none: requests."""
    ratios: list[int] = []
    """Rows by bin of the ratio of lengths (:data:`~seq2seq_core.drift.text_counts.RATIO_EDGES`)."""
    untranslated: int | None = None
    """Counted rows whose target is their source."""
    chance: Chance | None = None
    """None where there are too few rows, or nothing will be compared with them."""

    @model_validator(mode="after")
    def _ratios_have_their_bins(self) -> Self:
        if self.ratios:
            _check_lengths(len(RATIO_EDGES) + 1, ratios=self.ratios)
        return self

    def side(self, name: Side) -> SideProfile | None:
        """The texts of a side."""
        return self.source if name == "source" else self.target

    def to_json(self) -> str:
        """The profile as JSON, with a fixed order of keys."""
        return self.model_dump_json(exclude_none=False) + "\n"


def parse_profile(content: str | bytes, label: str) -> Profile:
    """The profile in a JSON text.

    Args:
        content: from :meth:`Profile.to_json`.
        label: its place, for the message.

    Raises:
        UserError: it is no profile.
    """
    try:
        return Profile.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{label}: no profile of a corpus that this release reads ({where}: {first['msg']})") from None
