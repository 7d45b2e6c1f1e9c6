"""Makes the profile of a corpus while its rows pass by, in bounded memory; the order of the rows does not matter."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.drift.corpus_profile import Profile, Side, SideProfile
from seq2seq_core.drift.measures import RATIO, REPEATED, UNTRANSLATED
from seq2seq_core.drift.repeated_texts import KEYS, cluster_size, repeated_share
from seq2seq_core.drift.resampling import SAMPLE_ROWS, RowCounts, resample
from seq2seq_core.drift.row_counts import count_events, count_side
from seq2seq_core.drift.side_counter import PieceModel, SideCounter, count_pieces
from seq2seq_core.drift.text_counts import RATIO_EDGES, Counts, count_by_row, measure_lengths, ratio_bins

COUNTED_ROWS = 1 << 17
"""Rows whose texts are counted; more tell nothing more."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Chunk(Protocol):
    """Some pairs, side by side."""

    @property
    def sources(self) -> Sequence[str]:
        """Their sources: texts, or names of recordings."""

    @property
    def targets(self) -> Sequence[str]:
        """Their targets."""


AnyChunk = TypeVar("AnyChunk", bound=Chunk)


class CorpusProfiler:
    """Counts the rows of a corpus.

    Args:
        rows: how many will come.
        has_recordings: whether the sources are names of recordings, which are not counted.
        has_chance: whether the profile tells what chance does to parts of the corpus.
        counted_rows: the most rows that are counted, about.
        sample_rows: the most rows that are kept, to resample them, about.
    """

    def __init__(
        self,
        rows: int,
        has_recordings: bool = False,
        has_chance: bool = True,
        counted_rows: int = COUNTED_ROWS,
        sample_rows: int = SAMPLE_ROWS,
    ) -> None:
        self._has_chance = has_chance
        self._counted_bound, self._sample_bound = (min(KEYS, KEYS * most // max(1, rows)) for most in (counted_rows, sample_rows))
        self.source = None if has_recordings else SideCounter()
        self.target = SideCounter()
        self.rows, self.counted, self.untranslated = 0, 0, 0
        self.ratios = np.zeros(len(RATIO_EDGES) + 1, dtype=np.int64)
        self._sample: list[tuple[int, str, str]] = []

    def watch(self, chunks: Iterable[AnyChunk]) -> Iterator[AnyChunk]:
        """The same chunks; each is counted when it is asked for."""
        for chunk in chunks:
            self.add(chunk.sources, chunk.targets)
            yield chunk

    def add(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """Counts some pairs.

        Args:
            sources: texts, or names of recordings.
            targets: as many texts.
        """
        self.add_keyed(
            text_keys(sources), text_keys(targets), lambda places: [(sources[place], targets[place]) for place in places]
        )

    def add_keyed(
        self,
        source_keys: NDArray[np.uint32],
        target_keys: NDArray[np.uint32],
        pairs_at: Callable[[list[int]], list[tuple[str, str]]],
    ) -> None:
        """Counts some pairs by the keys of their texts (:func:`text_keys`); only the texts of a few are asked for.

        Args:
            source_keys: of the sources.
            target_keys: of the targets.
            pairs_at: gives source and target of the pairs at some places.
        """
        row_keys = mix_keys(source_keys.astype(np.uint64) << np.uint64(32) | target_keys)
        if self.source is not None:
            self.source.repeats.add(source_keys)
        self.target.repeats.add(target_keys)
        self.rows += len(target_keys)
        chosen = np.flatnonzero(row_keys < max(self._counted_bound, self._sample_bound))
        keys, pairs = row_keys[chosen].tolist(), pairs_at(chosen.tolist())
        counted = [pair for key, pair in zip(keys, pairs, strict=True) if key < self._counted_bound]
        self._count([source for source, _ in counted], [target for _, target in counted])
        self._sample += [(key, *pair) for key, pair in zip(keys, pairs, strict=True) if key < self._sample_bound]

    def _count(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        self.counted += len(targets)
        lengths = self.target.add(targets)
        if self.source is None:
            return
        bins = ratio_bins(self.source.add(sources), lengths)
        self.ratios += np.bincount(bins, minlength=len(self.ratios))
        self.untranslated += sum(map(str.__eq__, sources, targets))

    def profile(self, source_model: PieceModel | None, target_model: PieceModel | None) -> Profile:
        """The profile of the rows so far.

        Args:
            source_model: counts pieces of the sources; None: they are recordings, or pieces are not counted.
            target_model: counts pieces of the targets; None: they are not counted.
        """
        self._sample.sort()
        sources, targets = [source for _, source, _ in self._sample], [target for _, _, target in self._sample]
        measures: dict[str, RowCounts] = {}
        sides: dict[Side, SideProfile] = {}
        known: list[tuple[Side, SideCounter | None, list[str], PieceModel | None]] = [
            ("source", self.source, sources, source_model),
            ("target", self.target, targets, target_model),
        ]
        for name, counter, texts, model in known:
            if counter is not None:
                rows = model.encode_rows(texts) if model is not None and texts else None
                pieces = None if rows is None or model is None else count_pieces(rows, model)
                sides[name] = side = counter.profile(pieces)
                if self._has_chance:
                    measures |= count_side(name, side, texts, rows)
                    measures[f"{name} {REPEATED}"] = _repeated_rows(side, len(texts), seed=len(measures))
        if self.source is not None and self._has_chance:
            measures |= _count_pairs(sources, targets)
        return Profile(
            rows=self.rows,
            counted=self.counted,
            source=sides.get("source"),
            target=sides["target"],
            ratios=[] if self.source is None else self.ratios.tolist(),
            untranslated=None if self.source is None else self.untranslated,
            chance=resample(measures),
        )


def text_keys(texts: Sequence[str]) -> NDArray[np.uint32]:
    """A key of each text, evenly spread over 32 bits."""
    checksum: Callable[[bytes], int] = zlib.crc32
    found = np.fromiter((checksum(text.encode("utf-8", "surrogatepass")) for text in texts), np.uint64, len(texts))
    return mix_keys(found)


def mix_keys(keys: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Keys of 64 bits as evenly spread ones of 32 bits (the finaliser of SplitMix64, Steele and others 2014)."""
    mixed = keys * _MIX
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed >> np.uint64(32)).astype(np.uint32)


def _count_pairs(sources: Sequence[str], targets: Sequence[str]) -> dict[str, RowCounts]:
    """The measures of whole pairs, by row."""
    rows = len(targets)
    bins = ratio_bins(measure_lengths(sources), measure_lengths(targets))
    equal = np.fromiter(map(str.__eq__, sources, targets), np.bool_, rows)
    ones: Counts = np.ones(rows, dtype=np.int64)
    return {
        RATIO: RowCounts("numbers", count_by_row(bins, ones, len(RATIO_EDGES) + 1)),
        UNTRANSLATED: count_events(equal, ones),
    }


def _repeated_rows(side: SideProfile, rows: int, seed: int) -> RowCounts:
    """Rows of which as many are repeated as in the corpus; a sample of it has fewer rows that repeat one another."""
    number = round(repeated_share(side.repeats) * rows)
    is_repeated = np.zeros(rows, dtype=np.float32)
    is_repeated[np.random.default_rng(seed).permutation(rows)[:number]] = 1.0
    return RowCounts(
        "shares", np.stack([1.0 - is_repeated, is_repeated], axis=1), is_rare=True, clustering=cluster_size(side.repeats)
    )
