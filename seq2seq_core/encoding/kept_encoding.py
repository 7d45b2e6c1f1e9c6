"""Encoding block by block, so that a block that an earlier run has encoded alike is not encoded again.

Blocks are kept only with a kept vocabulary: one that is made of a corpus that has grown gives every text other ids. On a cluster
they are the parts, with any vocabulary.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import sentencepiece

from seq2seq_core.artifacts import Paths
from seq2seq_core.cluster.connection import Cluster
from seq2seq_core.code_digests.package_digest import digest_package
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.drift.profiling import CorpusProfiler
from seq2seq_core.encoding.block_encoding import Arrays, BlockEncoder, PairBlocks, SentenceBlocks, encode_missing
from seq2seq_core.encoding.known_blocks import PreparedBlock, iterate_prepared_blocks
from seq2seq_core.encoding.pair_reading import PairReader
from seq2seq_core.tokenization.encode import EncodedPairs, EncodedSentences, LengthLimits, PairChunk, Tokenizers
from seq2seq_core.tokenization.flat_rows import FlatRows
from seq2seq_core.tokenization.kept_arrays import KeptArrays
from seq2seq_core.tokenization.reading_ahead import read_ahead
from seq2seq_core.tokenization.subword import SubwordModel


@dataclass(frozen=True)
class _Block:
    """Lines of a prepared file, not yet encoded, or with the arrays of an earlier run.

    Attributes:
        prepared: the lines.
        arrays: those of an earlier run; None: there are none.
        pairs: the pairs of the lines, where there are no arrays.
    """

    prepared: PreparedBlock
    arrays: Arrays | None
    pairs: PairChunk | None = None


class KeptEncoding:
    """Encodes prepared files, and keeps the blocks for the next run.

    Args:
        store: the blocks of earlier runs.
        tokenizers: subword models.
        code: digest of the code that encodes.
        cluster: encodes what is not there; None: this process does.
    """

    def __init__(self, store: KeptArrays, tokenizers: Tokenizers, code: str, cluster: Cluster | None = None) -> None:
        assert isinstance(tokenizers.source, SubwordModel)
        self._store, self._tokenizers, self._cluster = store, tokenizers, cluster
        protos = [hashlib.sha256(model.proto).hexdigest() for model in (tokenizers.source, tokenizers.target)]
        self._base = [code, sentencepiece.__version__, *protos]

    def pairs(self, reader: PairReader, limits: LengthLimits, profiler: CorpusProfiler | None) -> Iterator[EncodedPairs]:
        """The encoded pairs of a split, in their order.

        Args:
            reader: makes chunks of them.
            limits: which pairs are dropped and which sources cut.
            profiler: counts the pairs; None: they are not counted.
        """
        encoder = PairBlocks(self._base, self._tokenizers, reader, limits, has_keys=profiler is not None)
        self._encode_elsewhere(reader.path, encoder)
        for block in read_ahead(self._look_up_pairs(reader, encoder)):
            arrays = block.arrays
            if arrays is None:
                assert block.pairs is not None
                arrays = encoder.encode_chunk(block.pairs)
                self._store.add(block.prepared.key, arrays)
            if profiler is not None:
                _count(profiler, block.prepared, arrays)
            yield _unpack(arrays)

    def _look_up_pairs(self, reader: PairReader, encoder: PairBlocks) -> Iterator[_Block]:
        for prepared in iterate_prepared_blocks(reader.path, encoder.key, self._store):
            arrays = self._store.find(prepared.key)
            yield _Block(prepared, arrays, encoder.parse(prepared.lines(), prepared.first) if arrays is None else None)

    def _encode_elsewhere(self, path: Path, encoder: BlockEncoder) -> None:
        """Has a cluster encode the blocks that are not there; this process encodes what it left, and tells the faults."""
        if self._cluster is not None:
            encode_missing(self._cluster, self._store, path, encoder)

    def sentences(self, path: Path, max_tokens: int) -> Iterator[EncodedSentences]:
        """The encoded monolingual sentences of a language, in their order.

        Args:
            path: a file that ``s2s prepare`` wrote.
            max_tokens: a sentence longer than this (eos included) is dropped.
        """
        encoder = SentenceBlocks(self._base, self._tokenizers.target, path, max_tokens)
        self._encode_elsewhere(path, encoder)
        for prepared in iterate_prepared_blocks(path, encoder.key, self._store):
            if (arrays := self._store.find(prepared.key)) is None:
                arrays = encoder.encode(prepared.lines(), prepared.first)
                self._store.add(prepared.key, arrays)
            yield EncodedSentences(_rows(arrays, "text"), prepared.num_lines)

    def close(self) -> None:
        """Removes the blocks of earlier runs that this one had no use for."""
        self._store.remove_unused()


def open_kept_encoding(
    settings: Settings, paths: Paths, tokenizers: Tokenizers, cluster: Cluster | None = None
) -> KeptEncoding | None:
    """What encodes block by block; None where the vocabulary is new and there is no cluster, or blocks cannot stand for themselves.

    Args:
        settings: the sections ``tokenize`` and ``runtime``.
        paths: the workspace; blocks are kept in ``.s2s/encoded``.
        tokenizers: of the two sides.
        cluster: encodes blocks; None: this process does.
    """
    section = settings.tokenize
    # Values of tags that are ignored are warned of, which blocks of earlier runs do not tell.
    tells_all = section.unknown_tags == "error" or not (section.source_tags or section.target_tags)
    is_kept = bool(section.vocabulary) and settings.runtime.incremental
    can_be_cut = isinstance(tokenizers.source, SubwordModel) and tells_all
    if not is_kept or not can_be_cut:
        shutil.rmtree(paths.encoded_blocks, ignore_errors=True)
    if not can_be_cut or (cluster is None and not is_kept):
        return None
    folder = paths.encoded_blocks if is_kept or cluster is None else cluster.folder / paths.encoded_blocks.name
    return KeptEncoding(KeptArrays(folder), tokenizers, digest_package(), cluster)


def _unpack(arrays: Arrays) -> EncodedPairs:
    read, truncated = arrays["counts"].tolist()
    groups = json.loads(arrays["groups"].tobytes())
    return EncodedPairs(_rows(arrays, "source"), _rows(arrays, "target"), groups, read, truncated)


def _rows(arrays: Arrays, name: str) -> FlatRows:
    return FlatRows(arrays[name], arrays[f"{name}_lengths"].astype(np.int64))


def _count(profiler: CorpusProfiler, block: PreparedBlock, arrays: Arrays) -> None:
    """Counts the pairs of a block; only the lines whose texts are asked for are parsed."""

    def pairs_at(places: list[int]) -> list[tuple[str, str]]:
        lines = block.content.split(b"\n") if places else []
        pairs = (orjson.loads(lines[place]) for place in places)
        return [(pair[SOURCE], pair[TARGET]) for pair in pairs]

    profiler.add_keyed(arrays["source_keys"], arrays["target_keys"], pairs_at)
