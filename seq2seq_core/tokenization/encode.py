"""Encoding of a split to ids or frames on disk, in constant memory, with counts that show whether the vocabulary fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.frames.frame_reader import FrameReader
from seq2seq_core.tokenization.flat_rows import FlatRows, count_first
from seq2seq_core.tokenization.growing_array import GrowingArray
from seq2seq_core.tokenization.ragged import RaggedWriter, groups_path, id_dtype
from seq2seq_core.tokenization.reading_ahead import read_ahead
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.token_counts import SentenceCounts, SideCounts, SplitCounts

CHUNK_PAIRS, CHUNK_FILES = 4096, 64
Item = TypeVar("Item")
SourceRow = Sequence[int] | NDArray[Any]
"""Ids between tags and eos, or frames_SF; empty for a source without any text (or name)."""


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

    def accept(self, sources: FlatRows, targets: FlatRows) -> NDArray[np.bool_]:
        """Whether each pair is kept."""
        return _is_within(sources, self.source) & _is_within(targets, self.target)

    def cut(self, sources: FlatRows, tags: Sequence[Sequence[int]]) -> FlatRows:
        """The sources, the longer ones cut.

        Args:
            sources: ids between tags and eos, or frames.
            tags: the ids of the tags of each; nothing: none has any.
        """
        if self.cut_source is None or sources.longest <= self.cut_source:
            return sources
        limit, is_frames = self.cut_source, sources.values.ndim == 2
        first = [count_first(limit, number, self.keeps_end, is_frames) for number in map(len, tags or [()] * len(sources))]
        return sources.cut(limit, np.array(first, dtype=np.int64))


@dataclass(frozen=True)
class Tokenizers:
    """The encoders of both sides: subword models (the same object twice if shared); as source maybe a reader of files."""

    source: SubwordModel | FrameReader
    target: SubwordModel

    @property
    def chunk_pairs(self) -> int:
        """Pairs that are encoded at once."""
        return CHUNK_FILES if self.num_features else CHUNK_PAIRS

    @property
    def num_features(self) -> int:
        """Features of a source frame; 0 where the sources are ids."""
        return self.source.front_end.frame_width if isinstance(self.source, FrameReader) else 0

    def encode_sources(self, sources: Sequence[str], tags: Sequence[Sequence[int]]) -> FlatRows:
        """Ids between tags and eos, or frames, which have neither."""
        if isinstance(self.source, FrameReader):
            return FlatRows.of_arrays([self.source.read(source) for source in sources])
        return self.source.encode_rows(sources).behind(tags)

    def new_counts(self) -> SplitCounts:
        """The counts of a split before its first row."""
        source = self.source.byte_ids if isinstance(self.source, SubwordModel) else range(0)
        return SplitCounts(SideCounts(byte_ids=source), SideCounts(byte_ids=self.target.byte_ids))

    @property
    def source_dtype(self) -> type[np.generic]:
        """The type of the values of the sources on the disk."""
        return self.source.dtype if isinstance(self.source, FrameReader) else id_dtype(self.source.vocabulary_size)


@dataclass(frozen=True)
class PairChunk:
    """Some pairs to be encoded, at least one, side by side."""

    sources: Sequence[str]
    """Their sources: texts, or names of recordings or pictures."""
    targets: Sequence[str]
    """Their targets."""
    source_tags: Sequence[Sequence[int]] = ()
    """Ids before those of each source; nothing: no source has any."""
    target_tags: Sequence[Sequence[int]] = ()
    """Ids before those of each target; nothing: no target has any."""
    groups: Sequence[str] = ()
    """The names of their groups, where there are groups."""


@dataclass(frozen=True)
class EncodedPairs:
    """Pairs that are encoded, without those that are too long.

    Attributes:
        sources: ids between tags and eos, or frames.
        targets: ids between tags and eos.
        groups: the names of their groups, where there are groups.
        read: number of pairs, those that are too long included.
        truncated_sources: number of sources that were cut.
    """

    sources: FlatRows
    targets: FlatRows
    groups: Sequence[str]
    read: int
    truncated_sources: int = 0


@dataclass(frozen=True)
class EncodedSentences:
    """Sentences that are encoded, without those that are too long.

    Attributes:
        rows: ids with eos.
        read: number of sentences, those that are too long included.
    """

    rows: FlatRows
    read: int


def encode_split(
    chunks: Iterable[PairChunk],
    tokenizers: Tokenizers,
    folder: Path,
    split: str,
    limits: LengthLimits = LengthLimits(),
    has_groups: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> SplitCounts:
    """The counts of a split after its rows are encoded and written, see :func:`write_split`.

    Args:
        chunks: the pairs; read once, the next chunk while the current one is encoded.
        tokenizers: of the two sides.
        folder: receives the files.
        split: ``train``, ``dev`` or ``test``.
        limits: which pairs are dropped and which sources cut; by default none.
        has_groups: whether groups are written as well.
        on_progress: called with the number of pairs done.

    Raises:
        UserError: a recording or picture cannot be used.
    """
    encoded = (encode_pairs(chunk, tokenizers, limits) for chunk in read_ahead(chunks))
    return write_split(encoded, tokenizers, folder, split, has_groups, on_progress)


def encode_pairs(chunk: PairChunk, tokenizers: Tokenizers, limits: LengthLimits) -> EncodedPairs:
    """The rows of some pairs; those of ids end with eos.

    Args:
        chunk: the pairs.
        tokenizers: of the two sides.
        limits: which pairs are dropped and which sources cut.

    Raises:
        UserError: a recording or picture cannot be used.
    """
    sources, truncated = tokenizers.encode_sources(chunk.sources, chunk.source_tags), 0
    targets = tokenizers.target.encode_rows(chunk.targets).behind(chunk.target_tags)
    if limits.cut_source is not None:
        truncated = int(np.count_nonzero(sources.lengths > limits.cut_source))
        sources = limits.cut(sources, chunk.source_tags)
    is_kept = limits.accept(sources, targets)
    groups = [chunk.groups[place] for place in np.flatnonzero(is_kept).tolist()] if chunk.groups else ()
    return EncodedPairs(sources.select(is_kept), targets.select(is_kept), groups, len(chunk.targets), truncated)


def write_split(
    encoded: Iterable[EncodedPairs],
    tokenizers: Tokenizers,
    folder: Path,
    split: str,
    has_groups: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> SplitCounts:
    """The counts of a split after its rows are written.

    Args:
        encoded: the pairs; read once.
        tokenizers: of the two sides.
        folder: where ``{split}.{source,target}.{values,offsets}.npy`` go.
        split: ``train``, ``dev`` or ``test``.
        has_groups: whether ``{split}.groups.npy`` is written as well: groups are numbered in order of first appearance.
        on_progress: called with the number of pairs done.
    """
    counts, done = tokenizers.new_counts(), 0
    target_dtype = id_dtype(tokenizers.target.vocabulary_size)
    with ExitStack() as stack:
        sources = stack.enter_context(RaggedWriter(folder, split, "source", tokenizers.num_features, tokenizers.source_dtype))
        targets = stack.enter_context(RaggedWriter(folder, split, "target", dtype=target_dtype))
        groups = stack.enter_context(GrowingArray(groups_path(folder, split), np.int32)) if has_groups else None
        for pairs in encoded:
            for writer, side, rows in ((sources, counts.source, pairs.sources), (targets, counts.target, pairs.targets)):
                writer.append(rows)
                side.add(rows)
            if groups is not None:
                groups.append(np.array([counts.number_group(name) for name in pairs.groups], dtype=np.int32))
            counts.dropped_too_long += pairs.read - len(pairs.targets)
            counts.truncated_sources += pairs.truncated_sources
            done += pairs.read
            on_progress(done)
    return counts


def encode_sentences(texts: Sequence[str], tokenizer: SubwordModel, max_tokens: int) -> EncodedSentences:
    """The rows of some monolingual sentences; each ends with eos.

    Args:
        texts: at least one.
        tokenizer: the subword model of their language.
        max_tokens: a sentence longer than this (eos included) is dropped.
    """
    rows = tokenizer.encode_rows(texts)
    return EncodedSentences(rows.select(_is_within(rows, max_tokens)), len(texts))


def write_sentences(
    encoded: Iterable[EncodedSentences],
    tokenizer: SubwordModel,
    folder: Path,
    name: str,
    on_progress: Callable[[int], None] = lambda _: None,
) -> SentenceCounts:
    """The counts of monolingual sentences after their ids are written.

    Args:
        encoded: the sentences; read once.
        tokenizer: the subword model of their language.
        folder: where ``{name}.text.{values,offsets}.npy`` go.
        name: such as ``monolingual.en``.
        on_progress: called with the number of sentences done.
    """
    counts, done = SentenceCounts(SideCounts(byte_ids=tokenizer.byte_ids)), 0
    with RaggedWriter(folder, name, "text", dtype=id_dtype(tokenizer.vocabulary_size)) as writer:
        for sentences in encoded:
            writer.append(sentences.rows)
            counts.text.add(sentences.rows)
            counts.dropped_too_long += sentences.read - len(sentences.rows)
            done += sentences.read
            on_progress(done)
    return counts


def _is_within(rows: FlatRows, limit: int | None) -> NDArray[np.bool_]:
    return np.ones(len(rows), dtype=np.bool_) if limit is None else rows.lengths <= limit


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
    first = count_first(limit, num_tags, keeps_end, is_frames=False)
    return [*row[:first], *row[len(row) - (limit - first) :]]


def in_chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of ``size``, the last one shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
