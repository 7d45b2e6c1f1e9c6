"""A split of pairs to ids on disk, or frames, in constant memory, with the counts that tell whether the vocabulary fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.recording_reader import RecordingReader
from seq2seq_core.tokenization.ragged import RaggedWriter
from seq2seq_core.tokenization.special_tokens import EOS_ID, UNK_ID
from seq2seq_core.tokenization.subword import SubwordModel

CHUNK_PAIRS, CHUNK_RECORDINGS = 4096, 64
Item = TypeVar("Item")


@dataclass
class SideCounts:
    """Tokens of one side of a split, as written (eos included), or its frames, of which none is unknown."""

    rows: int = 0
    tokens: int = 0
    unknown: int = 0
    longest: int = 0

    def add(self, rows: Sequence[Sequence[int] | NDArray[Any]]) -> None:
        """Counts some rows of ids or frames."""
        self.rows += len(rows)
        self.tokens += sum(map(len, rows))
        self.unknown += sum(list(row).count(UNK_ID) for row in rows if not isinstance(row, np.ndarray))
        self.longest = max(self.longest, max(map(len, rows), default=0))

    @property
    def unknown_fraction(self) -> float:
        """Share of unknown ids among the tokens."""
        return self.unknown / self.tokens if self.tokens else 0.0

    @property
    def mean_tokens(self) -> float:
        """Tokens a row."""
        return self.tokens / self.rows if self.rows else 0.0


@dataclass
class SplitCounts:
    """What became of the pairs of a split."""

    source: SideCounts = field(default_factory=SideCounts)
    target: SideCounts = field(default_factory=SideCounts)
    dropped_too_long: int = 0

    @property
    def pairs(self) -> int:
        """Pairs written."""
        return self.source.rows


@dataclass(frozen=True)
class Tokenizers:
    """What makes the rows of the two sides: subword models (the same object twice where they share one), or the sources' reader."""

    source: SubwordModel | RecordingReader
    target: SubwordModel

    @property
    def num_features(self) -> int:
        """Features of a source frame; 0 where the sources are ids."""
        return self.source.front_end.frame_width if isinstance(self.source, RecordingReader) else 0

    def encode_sources(self, sources: Sequence[str], tags: Sequence[Sequence[int]]) -> Sequence[Sequence[int] | NDArray[Any]]:
        """Ids between tags and eos, or frames, which have neither."""
        if isinstance(self.source, RecordingReader):
            return [self.source.read(source) for source in sources]
        return _enclose(tags, self.source.encode(sources))


class TextPair(NamedTuple):
    """A pair to be encoded."""

    source: str
    """The source's text."""
    target: str
    """The target's text."""
    source_tags: Sequence[int] = ()
    """Ids before those of the source."""
    target_tags: Sequence[int] = ()
    """Ids before those of the target."""


def encode_split(
    pairs: Iterable[TextPair],
    tokenizers: Tokenizers,
    folder: Path,
    split: str,
    max_tokens: tuple[int, int] | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> SplitCounts:
    """The counts of a split whose rows were written, those of ids ended by eos.

    Args:
        pairs: sources (texts, or names of recordings), target texts and tags; read once, in chunks.
        tokenizers: of the two sides.
        folder: where ``{split}.{source,target}.{values,offsets}.npy`` go.
        split: ``train``, ``dev`` or ``test``.
        max_tokens: a pair with a source or target longer than this (tags and eos included) is dropped; None: none is.
        on_progress: called with the number of pairs done.

    Raises:
        UserError: a recording cannot be used.
    """
    counts, done, features = SplitCounts(), 0, tokenizers.num_features
    chunk_pairs = CHUNK_RECORDINGS if features else CHUNK_PAIRS
    with RaggedWriter(folder, split, "source", features) as sources, RaggedWriter(folder, split, "target") as targets:
        for chunk in in_chunks(pairs, chunk_pairs):
            encoded = list(
                zip(
                    tokenizers.encode_sources([pair.source for pair in chunk], [pair.source_tags for pair in chunk]),
                    _enclose([pair.target_tags for pair in chunk], tokenizers.target.encode([pair.target for pair in chunk])),
                    strict=True,
                )
            )
            kept = [
                pair for pair in encoded if max_tokens is None or (len(pair[0]) <= max_tokens[0] and len(pair[1]) <= max_tokens[1])
            ]
            counts.dropped_too_long += len(encoded) - len(kept)
            for writer, side, rows in (
                (sources, counts.source, [source for source, _ in kept]),
                (targets, counts.target, [target for _, target in kept]),
            ):
                writer.extend(rows)
                side.add(rows)
            done += len(chunk)
            on_progress(done)
    return counts


def _enclose(tags: Sequence[Sequence[int]], rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Each row between its tags and eos."""
    return [[*before, *row, EOS_ID] for before, row in zip(tags, rows, strict=True)]


def in_chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of ``size``, the last one shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
