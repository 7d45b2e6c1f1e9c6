"""The arrays of a block of prepared lines, and a cluster that makes them.

A worker leaves the arrays of a block under the block's key, where ``tokenize`` looks for them as if an earlier run had left them.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.cluster.connection import Cluster
from seq2seq_core.cluster.part_files import read_shared
from seq2seq_core.corpus.pairs import open_prepared, parse_pairs, parse_sentence
from seq2seq_core.drift.profiling import text_keys
from seq2seq_core.encoding.pair_reading import PairReader
from seq2seq_core.errors import CorpusError
from seq2seq_core.reproducibility import digest
from seq2seq_core.tokenization.encode import LengthLimits, PairChunk, Tokenizers, encode_pairs, encode_sentences
from seq2seq_core.tokenization.kept_arrays import KeptArrays
from seq2seq_core.tokenization.line_blocks import iterate_line_blocks
from seq2seq_core.tokenization.ragged import id_dtype
from seq2seq_core.tokenization.subword import SubwordModel

Arrays = dict[str, NDArray[Any]]
TASK_BYTES = 16 << 20
"""Least size of the neighbouring blocks that a worker encodes at a time."""


class BlockEncoder(Protocol):
    """Makes the arrays of blocks.

    Attributes:
        key: digest of all that they depend on besides the lines.
    """

    key: str

    def encode(self, lines: list[bytes], first: int) -> Arrays:
        """The arrays of a block.

        Args:
            lines: of a prepared file.
            first: the number of the first one.

        Raises:
            CorpusError: a line is damaged, or has a tag that train does not have.
        """


class PairBlocks:
    """Encodes blocks of pairs.

    Args:
        base: what every key depends on.
        tokenizers: of the two sides.
        reader: makes chunks of pairs.
        limits: which pairs are dropped and which sources cut.
        has_keys: whether the keys of the texts are wanted, by which the profile picks them.

    Attributes:
        key: as in :class:`BlockEncoder`.
    """

    def __init__(self, base: list[str], tokenizers: Tokenizers, reader: PairReader, limits: LengthLimits, has_keys: bool) -> None:
        self._tokenizers, self._reader, self._limits, self._has_keys = tokenizers, reader, limits, has_keys
        self.key = digest([base, "pairs", asdict(limits), reader.options, has_keys])

    def parse(self, lines: list[bytes], first: int) -> PairChunk:
        """The pairs of a block; see :meth:`encode`."""
        path = self._reader.path
        return self._reader.chunk(list(enumerate(parse_pairs(lines, path, first), start=first)))

    def encode(self, lines: list[bytes], first: int) -> Arrays:
        """See :class:`BlockEncoder`."""
        return self.encode_chunk(self.parse(lines, first))

    def encode_chunk(self, chunk: PairChunk) -> Arrays:
        """The arrays of the pairs of a block.

        Args:
            chunk: of :meth:`parse`.
        """
        encoded = encode_pairs(chunk, self._tokenizers, self._limits)
        tokenizers, names = self._tokenizers, json.dumps(list(encoded.groups)).encode()
        arrays = {
            "source": encoded.sources.values.astype(tokenizers.source_dtype),
            "source_lengths": encoded.sources.lengths.astype(np.int32),
            "target": encoded.targets.values.astype(id_dtype(tokenizers.target.vocabulary_size)),
            "target_lengths": encoded.targets.lengths.astype(np.int32),
            "counts": np.array([encoded.read, encoded.truncated_sources], dtype=np.int64),
            "groups": np.frombuffer(names, dtype=np.uint8),
        }
        if self._has_keys:
            arrays |= {"source_keys": text_keys(chunk.sources), "target_keys": text_keys(chunk.targets)}
        return arrays


class SentenceBlocks:
    """Encodes blocks of monolingual sentences.

    Args:
        base: what every key depends on.
        tokenizer: of their language.
        path: the file, for messages.
        max_tokens: a sentence longer than this (eos included) is dropped.

    Attributes:
        key: as in :class:`BlockEncoder`.
    """

    def __init__(self, base: list[str], tokenizer: SubwordModel, path: Path, max_tokens: int) -> None:
        self._tokenizer, self._path, self._max_tokens = tokenizer, path, max_tokens
        self.key = digest([base, "sentences", max_tokens])

    def encode(self, lines: list[bytes], first: int) -> Arrays:
        """See :class:`BlockEncoder`."""
        texts = [parse_sentence(line, self._path, number) for number, line in enumerate(lines, start=first)]
        rows = encode_sentences(texts, self._tokenizer, self._max_tokens).rows
        values = rows.values.astype(id_dtype(self._tokenizer.vocabulary_size))
        return {"text": values, "text_lengths": rows.lengths.astype(np.int32)}


def block_key(key: str, lines: list[bytes]) -> str:
    """The key of a block.

    Args:
        key: of its encoder.
        lines: its lines.
    """
    return hashlib.sha256(b"".join([key.encode(), *lines])).hexdigest()


def encode_missing(cluster: Cluster, store: KeptArrays, path: Path, encoder: BlockEncoder) -> None:
    """Has workers add the arrays of the blocks that a store lacks.

    Args:
        cluster: the workers, which reach the file and the store.
        store: receives the arrays.
        path: a prepared file.
        encoder: of its blocks.
    """
    setup = cluster.share((store, encoder))
    tasks = ((cluster.folder, setup, path, *place) for place in _missing_ranges(store, path, encoder))
    for _ in cluster.map(encode_range, tasks):
        pass


def _missing_ranges(store: KeptArrays, path: Path, encoder: BlockEncoder) -> Iterator[tuple[list[int], int, int]]:
    """Of neighbouring blocks that a store lacks: the size of each, where they begin, and the number of the first line."""
    with open_prepared(path) as file:
        sizes, begin, line, offset, first = list[int](), 0, 1, 0, 1
        for lines in iterate_line_blocks(file):
            size, is_there = sum(map(len, lines)), store.has(block_key(encoder.key, lines))
            if sizes and (is_there or sum(sizes) >= TASK_BYTES):
                yield sizes, begin, line
                sizes = []
            if not is_there:
                begin, line = (begin, line) if sizes else (offset, first)
                sizes.append(size)
            offset, first = offset + size, first + len(lines)
        if sizes:
            yield sizes, begin, line


def encode_range(folder: Path, setup: str, path: Path, sizes: list[int], begin: int, line: int) -> None:
    """Adds the arrays of neighbouring blocks to a store; called on a worker. The driver meets damaged lines again, and tells them.

    Args:
        folder: shared by all.
        setup: the file of the store and the encoder.
        path: a prepared file.
        sizes: of each block, in bytes.
        begin: where the first block begins.
        line: the number of its first line.
    """
    store, encoder = read_shared(folder, setup)
    with path.open("rb") as file:
        file.seek(begin)
        for size in sizes:
            lines = io.BytesIO(file.read(size)).readlines()
            key = block_key(encoder.key, lines)
            if not store.has(key):
                try:
                    store.add(key, encoder.encode(lines, line))
                except CorpusError:
                    return
            line += len(lines)
