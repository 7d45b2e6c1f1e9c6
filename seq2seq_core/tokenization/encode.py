"""Encoding of a split to ids or frames on disk, in constant memory, with counts that show whether the vocabulary fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.recording_reader import RecordingReader
from seq2seq_core.tokenization.growing_array import GrowingArray
from seq2seq_core.tokenization.ragged import RaggedWriter, groups_path
from seq2seq_core.tokenization.special_tokens import EOS_ID, UNK_ID
from seq2seq_core.tokenization.subword import SubwordModel

CHUNK_PAIRS, CHUNK_RECORDINGS = 4096, 64
Item = TypeVar("Item")
SourceRow = Sequence[int] | NDArray[Any]
"""Ids between tags and eos, or frames_SF; empty for a source without any text (or name)."""


@dataclass
class SideCounts:
    """Counts of the tokens (eos included) or frames written for one side of a split; no frame is unknown."""

    rows: int = 0
    tokens: int = 0
    unknown: int = 0
    longest: int = 0

    def add(self, rows: Sequence[SourceRow]) -> None:
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


@dataclass(frozen=True)
class LengthLimits:
    """Maximum lengths in tokens (tags and eos included) or frames; None: no limit.

    Attributes:
        source: maximum of a source; a pair with a longer source is dropped.
        target: maximum of a target; a pair with a longer target is dropped.
        cut_source: longer sources are cut to this length instead; None: no cut.
        keeps_end: whether a cut source keeps its end instead of its beginning.
    """

    source: int | None = None
    target: int | None = None
    cut_source: int | None = None
    keeps_end: bool = False

    def accept(self, source: SourceRow, target: Sequence[int]) -> bool:
        """Whether a pair is kept."""
        return (self.source is None or len(source) <= self.source) and (self.target is None or len(target) <= self.target)


@dataclass(frozen=True)
class Tokenizers:
    """The encoders of both sides: subword models (the same object twice if shared); for recordings, a reader as source."""

    source: SubwordModel | RecordingReader
    target: SubwordModel

    @property
    def num_features(self) -> int:
        """Features of a source frame; 0 where the sources are ids."""
        return self.source.front_end.frame_width if isinstance(self.source, RecordingReader) else 0

    def encode_sources(self, sources: Sequence[str], tags: Sequence[Sequence[int]]) -> Sequence[SourceRow]:
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
    group: str = ""
    """The name of its group."""


def encode_split(
    pairs: Iterable[TextPair],
    tokenizers: Tokenizers,
    folder: Path,
    split: str,
    limits: LengthLimits = LengthLimits(),
    has_groups: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> SplitCounts:
    """The counts of a split after its rows are written; rows of ids end with eos.

    Args:
        pairs: sources (texts, or names of recordings), target texts and tags; read once, in chunks.
        tokenizers: of the two sides.
        folder: where ``{split}.{source,target}.{values,offsets}.npy`` go.
        split: ``train``, ``dev`` or ``test``.
        limits: which pairs are dropped and which sources cut; by default none.
        has_groups: whether ``{split}.groups.npy`` is written as well: groups are numbered in order of first appearance.
        on_progress: called with the number of pairs done.

    Raises:
        UserError: a recording cannot be used.
    """
    counts, done, features = SplitCounts(), 0, tokenizers.num_features
    with ExitStack() as stack:
        sources = stack.enter_context(RaggedWriter(folder, split, "source", features))
        targets = stack.enter_context(RaggedWriter(folder, split, "target"))
        groups = stack.enter_context(GrowingArray(groups_path(folder, split), np.int32)) if has_groups else None
        for chunk in in_chunks(pairs, CHUNK_RECORDINGS if features else CHUNK_PAIRS):
            source_rows, target_rows = _encode_chunk(chunk, tokenizers)
            if limits.cut_source is not None:
                counts.truncated_sources += sum(len(row) > limits.cut_source for row in source_rows)
                source_rows = [
                    cut_row(row, limits.cut_source, len(pair.source_tags), limits.keeps_end)
                    for row, pair in zip(source_rows, chunk, strict=True)
                ]
            kept = [place for place, rows in enumerate(zip(source_rows, target_rows, strict=True)) if limits.accept(*rows)]
            counts.dropped_too_long += len(chunk) - len(kept)
            for writer, side, rows in ((sources, counts.source, source_rows), (targets, counts.target, target_rows)):
                kept_rows = [rows[place] for place in kept]
                writer.extend(kept_rows)
                side.add(kept_rows)
            if groups is not None:
                groups.append(np.array([counts.number_group(chunk[place].group) for place in kept], dtype=np.int32))
            done += len(chunk)
            on_progress(done)
    return counts


@dataclass
class SentenceCounts:
    """Counts of the monolingual sentences of a language."""

    text: SideCounts = field(default_factory=SideCounts)
    dropped_too_long: int = 0


def encode_sentences(
    texts: Iterable[str],
    tokenizer: SubwordModel,
    folder: Path,
    name: str,
    max_tokens: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> SentenceCounts:
    """The counts of monolingual sentences after their ids are written; each row ends with eos.

    Args:
        texts: read once, in chunks.
        tokenizer: the subword model of their language.
        folder: where ``{name}.text.{values,offsets}.npy`` go.
        name: such as ``monolingual.en``.
        max_tokens: a sentence longer than this (eos included) is dropped.
        on_progress: called with the number of sentences done.
    """
    counts, done = SentenceCounts(), 0
    with RaggedWriter(folder, name, "text") as writer:
        for chunk in in_chunks(texts, CHUNK_PAIRS):
            rows = [[*ids, EOS_ID] for ids in tokenizer.encode(chunk)]
            kept = [row for row in rows if len(row) <= max_tokens]
            counts.dropped_too_long += len(rows) - len(kept)
            writer.extend(kept)
            counts.text.add(kept)
            done += len(chunk)
            on_progress(done)
    return counts


def _encode_chunk(chunk: Sequence[TextPair], tokenizers: Tokenizers) -> tuple[Sequence[SourceRow], list[list[int]]]:
    """The rows of the sources and of the targets of some pairs."""
    return (
        tokenizers.encode_sources([pair.source for pair in chunk], [pair.source_tags for pair in chunk]),
        _enclose([pair.target_tags for pair in chunk], tokenizers.target.encode([pair.target for pair in chunk])),
    )


def _enclose(tags: Sequence[Sequence[int]], rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Each row between its tags and eos."""
    return [[*before, *row, EOS_ID] for before, row in zip(tags, rows, strict=True)]


def cut_row(row: SourceRow, limit: int, num_tags: int = 0, keeps_end: bool = False) -> SourceRow:
    """A row cut to at most ``limit`` ids or frames; of ids, the tags and eos stay, and the first ids between them (or the last).

    Args:
        row: ids that end with eos, or frames, which have none.
        limit: at least 1.
        num_tags: the number of tags that the row begins with.
        keeps_end: whether the last ids or frames are kept.
    """
    if len(row) <= limit:
        return row
    if isinstance(row, np.ndarray):
        return row[-limit:] if keeps_end else row[:limit]
    if not keeps_end:
        return [*row[: limit - 1], EOS_ID]
    tags = row[: min(num_tags, limit - 1)]
    return [*tags, *row[len(row) - (limit - len(tags)) :]]


def in_chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of ``size``, the last one shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
