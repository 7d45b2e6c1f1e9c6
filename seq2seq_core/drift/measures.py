"""The measures by which two corpora are compared: histograms over bins that the older one fixes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.drift.corpus_profile import SIDES, PieceCounts, Profile, Side, SideProfile
from seq2seq_core.drift.effects import Array, Kind
from seq2seq_core.drift.repeated_texts import repeated_share
from seq2seq_core.drift.side_counter import SHOWN_PIECES
from seq2seq_core.drift.text_counts import LENGTH_EDGES, NUM_CODES, RATIO_EDGES, count_scripts

NUM_BINS = SHOWN_PIECES
"""Characters and pieces that have a bin of their own, the most frequent ones of the older corpus."""
OTHERS = "others"
RATIO, UNTRANSLATED = "length ratio", "untranslated"
LENGTH, SCRIPTS, CHARACTERS, UNKNOWN, PIECES, REPEATED = (
    "length", "scripts", "characters", "unknown symbols", "pieces", "repeated",
)  # fmt: skip
Key = TypeVar("Key", str, int)
RARE = 2
"""A character that stands so often, or more, is one that the corpus knows."""


@dataclass(frozen=True)
class Measured:
    """Two corpora in one measure.

    Attributes:
        name: such as ``source length``.
        kind: how its effect is computed.
        labels: of the bins; empty: they are lengths or ratios.
        old: counts of the older corpus.
        new: counts of the newer one.
        rows: the rows that both were counted in.
    """

    name: str
    kind: Kind
    labels: Sequence[str]
    old: Array
    new: Array
    rows: tuple[int, int]


@dataclass(frozen=True)
class SideBins:
    """The bins that a corpus fixes for one side.

    Attributes:
        characters: those with a bin of their own.
        alphabet: the characters that are known.
        frequent: those of them that are more than :data:`RARE`; the others are as many as the unknown ones of another text.
        scripts: of its characters.
        piece_ids: those with a bin of their own.
    """

    characters: str
    alphabet: str
    frequent: str
    scripts: tuple[str, ...]
    piece_ids: tuple[int, ...]

    def character_bins(self) -> NDArray[np.int64]:
        """The bin of each code point; the last bin is of all others."""
        return _lookup(self.characters, np.arange(len(self.characters)), len(self.characters))

    def is_frequent(self) -> NDArray[np.int64]:
        """1 for each code point that is frequent, 0 for others."""
        return _lookup(self.frequent, np.ones(len(self.frequent), dtype=np.int64), 0)


def _lookup(characters: str, values: NDArray[np.int64], default: int) -> NDArray[np.int64]:
    table = np.full(NUM_CODES, default, dtype=np.int64)
    table[np.fromiter(map(ord, characters), np.int64, len(characters))] = values
    return table


def side_bins(side: SideProfile) -> SideBins:
    """The bins of a side of the older corpus."""
    known, frequent = (sum(count >= least for count in side.counts) for least in (RARE, RARE + 1))
    pieces = () if side.pieces is None else tuple(side.pieces.ids[:NUM_BINS])
    scripts = tuple(count_scripts(side.character_counts()))
    return SideBins(side.characters[:NUM_BINS], side.characters[:known], side.characters[:frequent], scripts, pieces)


def measure(old: Profile, new: Profile) -> list[Measured]:
    """Both corpora in each measure that they have.

    Args:
        old: fixes the bins.
        new: the one that may differ.
    """
    rows, found = (old.counted, new.counted), list[Measured]()
    for name in SIDES:
        one, other = old.side(name), new.side(name)
        if one is not None and other is not None:
            found += _measure_side(name, (one, other), rows)
            found += _measure_repeats(name, (one, other), (old.rows, new.rows))
    if old.ratios and new.ratios:
        ratios = (_dense(own.ratios, len(RATIO_EDGES) + 1) for own in (old, new))
        found.append(_measured(RATIO, "numbers", (), ratios, rows))
    if old.untranslated is not None and new.untranslated is not None:
        shares = (_split(old.counted, old.untranslated), _split(new.counted, new.untranslated))
        found.append(_measured(UNTRANSLATED, "shares", ("translated", UNTRANSLATED), shares, rows))
    return found


def _measured(name: str, kind: Kind, labels: Sequence[str], vectors: Iterable[Array], rows: tuple[int, int]) -> Measured:
    old, new = vectors
    return Measured(name, kind, labels, old, new, rows)


def _measure_side(name: Side, sides: tuple[SideProfile, SideProfile], rows: tuple[int, int]) -> Iterator[Measured]:
    old, new = sides
    bins, counts = side_bins(old), (old.character_counts(), new.character_counts())
    lengths = (_dense(side.lengths, len(LENGTH_EDGES) + 1) for side in sides)
    yield _measured(f"{name} {LENGTH}", "numbers", (), lengths, rows)
    scripts = [count_scripts(own) for own in counts]
    labels = list(dict.fromkeys([*bins.scripts, *scripts[1]]))
    yield _measured(f"{name} {SCRIPTS}", "shares", labels, (_pick(own, labels) for own in scripts), rows)
    characters = (_with_others(own, bins.characters, side.unlisted) for own, side in zip(counts, sides, strict=True))
    yield _measured(f"{name} {CHARACTERS}", "shares", (*bins.characters, OTHERS), characters, rows)
    total = sum(new.counts) + new.unlisted
    unknown = total - sum(counts[1].get(character, 0) for character in bins.alphabet)
    shares = (_split(sum(old.counts) + old.unlisted, expected_unknown(old)), _split(total, unknown))
    yield _measured(f"{name} {UNKNOWN}", "shares", ("known", "unknown"), shares, rows)
    if old.pieces is not None and new.pieces is not None and old.pieces.vocabulary == new.pieces.vocabulary:
        yield _measure_pieces(name, (old.pieces, new.pieces), bins.piece_ids)


def _measure_pieces(name: Side, pieces: tuple[PieceCounts, PieceCounts], ids: Sequence[int]) -> Measured:
    vectors = (_with_others(dict(zip(own.ids, own.counts, strict=True)), ids, own.unlisted) for own in pieces)
    labels = (*(f"“{piece}”" for piece in pieces[0].shown[: len(ids)]), OTHERS)
    return _measured(f"{name} {PIECES}", "shares", labels, vectors, (pieces[0].rows, pieces[1].rows))


def _measure_repeats(name: Side, sides: tuple[SideProfile, SideProfile], rows: tuple[int, int]) -> Iterator[Measured]:
    if all(side.repeats for side in sides):
        smaller = min(rows)
        shares = (repeated_share(side.repeats, smaller / own) for side, own in zip(sides, rows, strict=True))
        vectors = (_split(smaller, smaller * share) for share in shares)
        yield _measured(f"{name} {REPEATED}", "shares", ("first", REPEATED), vectors, rows)


def expected_unknown(side: SideProfile) -> float:
    """How many characters of another text of the same kind and length would be ones that this side does not know (Good 1953)."""
    return side.unlisted + sum(count for count in side.counts if count <= RARE)


def _with_others(counts: Mapping[Key, int], keys: Sequence[Key], unlisted: int) -> Array:
    picked = _pick(counts, keys)
    return np.append(picked, sum(counts.values()) + unlisted - picked.sum())


def _pick(counts: Mapping[Key, int], keys: Sequence[Key]) -> Array:
    return np.array([counts.get(key, 0) for key in keys], dtype=np.float64)


def _split(total: float, part: float) -> Array:
    return np.array([total - part, part], dtype=np.float64)


def _dense(counts: Sequence[int], size: int) -> Array:
    return np.pad(np.array(counts, dtype=np.float64), (0, size - len(counts)))
