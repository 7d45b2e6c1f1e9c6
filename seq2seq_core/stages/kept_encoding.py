"""Encoding block by block, so that a block that an earlier run has encoded alike is not encoded again.

Only with a kept vocabulary: one that is made of a corpus that has grown gives every text other ids.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import sentencepiece
from numpy.typing import NDArray

from seq2seq_core.artifacts import Paths
from seq2seq_core.code_digests.package_digest import digest_package
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import SOURCE, TARGET, open_prepared, parse_pair, parse_sentence
from seq2seq_core.drift.profiling import CorpusProfiler, text_keys
from seq2seq_core.reproducibility import digest
from seq2seq_core.stages.pair_reading import PairReader
from seq2seq_core.tokenization.encode import (
    EncodedPairs,
    EncodedSentences,
    LengthLimits,
    PairChunk,
    Tokenizers,
    encode_pairs,
    encode_sentences,
)
from seq2seq_core.tokenization.flat_rows import FlatRows
from seq2seq_core.tokenization.kept_arrays import KeptArrays
from seq2seq_core.tokenization.line_blocks import iterate_line_blocks
from seq2seq_core.tokenization.ragged import id_dtype
from seq2seq_core.tokenization.reading_ahead import read_ahead
from seq2seq_core.tokenization.subword import SubwordModel

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Block:
    """Lines of a prepared file, not yet encoded, or with the arrays of an earlier run.

    Attributes:
        key: digest of all that the arrays depend on.
        lines: the lines.
        arrays: those of an earlier run; None: there are none.
        pairs: the pairs of the lines, where there are no arrays.
    """

    key: str
    lines: list[bytes]
    arrays: Arrays | None
    pairs: PairChunk | None = None


class KeptEncoding:
    """Encodes prepared files, and keeps the blocks for the next run.

    Args:
        store: the blocks of earlier runs.
        tokenizers: subword models.
        code: digest of the code that encodes.
    """

    def __init__(self, store: KeptArrays, tokenizers: Tokenizers, code: str) -> None:
        assert isinstance(tokenizers.source, SubwordModel)
        self._store, self._tokenizers = store, tokenizers
        protos = [hashlib.sha256(model.proto).hexdigest() for model in (tokenizers.source, tokenizers.target)]
        self._base = [code, sentencepiece.__version__, *protos]

    def pairs(self, reader: PairReader, limits: LengthLimits, profiler: CorpusProfiler | None) -> Iterator[EncodedPairs]:
        """The encoded pairs of a split, in their order.

        Args:
            reader: makes chunks of them.
            limits: which pairs are dropped and which sources cut.
            profiler: counts the pairs; None: they are not counted.
        """
        key = digest([self._base, "pairs", asdict(limits), reader.options, profiler is not None])
        for block in read_ahead(self._look_up_pairs(reader, key)):
            arrays = block.arrays
            if arrays is None:
                assert block.pairs is not None
                arrays = self._pack(encode_pairs(block.pairs, self._tokenizers, limits))
                if profiler is not None:
                    arrays |= {"source_keys": text_keys(block.pairs.sources), "target_keys": text_keys(block.pairs.targets)}
                self._store.add(block.key, arrays)
            if profiler is not None:
                _count(profiler, block.lines, arrays)
            yield _unpack(arrays)

    def _look_up_pairs(self, reader: PairReader, key: str) -> Iterator[_Block]:
        with open_prepared(reader.path) as file:
            first = 1
            for lines in iterate_line_blocks(file):
                own_key = _block_key(key, lines)
                if (arrays := self._store.find(own_key)) is not None:
                    yield _Block(own_key, lines, arrays)
                else:
                    numbered = [(number, parse_pair(line, reader.path, number)) for number, line in enumerate(lines, start=first)]
                    yield _Block(own_key, lines, None, reader.chunk(numbered))
                first += len(lines)

    def _pack(self, encoded: EncodedPairs) -> Arrays:
        tokenizers, names = self._tokenizers, json.dumps(list(encoded.groups)).encode()
        return {
            "source": encoded.sources.values.astype(tokenizers.source_dtype),
            "source_lengths": encoded.sources.lengths.astype(np.int32),
            "target": encoded.targets.values.astype(id_dtype(tokenizers.target.vocabulary_size)),
            "target_lengths": encoded.targets.lengths.astype(np.int32),
            "counts": np.array([encoded.read, encoded.truncated_sources], dtype=np.int64),
            "groups": np.frombuffer(names, dtype=np.uint8),
        }

    def sentences(self, path: Path, max_tokens: int) -> Iterator[EncodedSentences]:
        """The encoded monolingual sentences of a language, in their order.

        Args:
            path: a file that ``s2s prepare`` wrote.
            max_tokens: a sentence longer than this (eos included) is dropped.
        """
        key, tokenizer, first = digest([self._base, "sentences", max_tokens]), self._tokenizers.target, 1
        with path.open("rb") as file:
            for lines in iterate_line_blocks(file):
                own_key = _block_key(key, lines)
                if (arrays := self._store.find(own_key)) is None:
                    texts = [parse_sentence(line, path, number) for number, line in enumerate(lines, start=first)]
                    rows = encode_sentences(texts, tokenizer, max_tokens).rows
                    values = rows.values.astype(id_dtype(tokenizer.vocabulary_size))
                    arrays = {"text": values, "text_lengths": rows.lengths.astype(np.int32)}
                    self._store.add(own_key, arrays)
                yield EncodedSentences(_rows(arrays, "text"), len(lines))
                first += len(lines)

    def close(self) -> None:
        """Removes the blocks of earlier runs that this one had no use for."""
        self._store.remove_unused()


def open_kept_encoding(settings: Settings, paths: Paths, tokenizers: Tokenizers) -> KeptEncoding | None:
    """What encodes block by block; None where the vocabulary is new, or blocks cannot stand for themselves.

    Args:
        settings: the sections ``tokenize`` and ``runtime``.
        paths: the workspace; blocks are kept in ``.s2s/encoded``.
        tokenizers: of the two sides.
    """
    section = settings.tokenize
    # Values of tags that are ignored are warned of, which blocks of earlier runs do not tell.
    tells_all = section.unknown_tags == "error" or not (section.source_tags or section.target_tags)
    is_kept = bool(section.vocabulary) and settings.runtime.incremental
    if not is_kept or not isinstance(tokenizers.source, SubwordModel) or not tells_all:
        shutil.rmtree(paths.encoded_blocks, ignore_errors=True)
        return None
    return KeptEncoding(KeptArrays(paths.encoded_blocks), tokenizers, digest_package())


def _block_key(key: str, lines: list[bytes]) -> str:
    return hashlib.sha256(b"".join([key.encode(), *lines])).hexdigest()


def _unpack(arrays: Arrays) -> EncodedPairs:
    read, truncated = arrays["counts"].tolist()
    groups = json.loads(arrays["groups"].tobytes())
    return EncodedPairs(_rows(arrays, "source"), _rows(arrays, "target"), groups, read, truncated)


def _rows(arrays: Arrays, name: str) -> FlatRows:
    return FlatRows(arrays[name], arrays[f"{name}_lengths"].astype(np.int64))


def _count(profiler: CorpusProfiler, lines: list[bytes], arrays: Arrays) -> None:
    """Counts the pairs of a block; only the lines whose texts are asked for are parsed."""

    def pairs_at(places: list[int]) -> list[tuple[str, str]]:
        pairs = (orjson.loads(lines[place]) for place in places)
        return [(pair[SOURCE], pair[TARGET]) for pair in pairs]

    profiler.add_keyed(arrays["source_keys"], arrays["target_keys"], pairs_at)
