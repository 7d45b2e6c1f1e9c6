from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.tokenization.encode import LengthLimits, PairChunk, Tokenizers, cut_row, encode_split
from seq2seq_core.tokenization.escaping import escape, escape_all
from seq2seq_core.tokenization.flat_rows import FlatRows
from seq2seq_core.tokenization.ragged import RaggedWriter, id_dtype, values_path
from seq2seq_core.tokenization.reading_ahead import read_ahead
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.tokenization.subword import train_subword

TEXTS = [
    "two dogs",
    "",
    "  a  dog\u2581",
    "naïve \u2585 \U000f5e00",
    "x\x00y\x1f",
    "\ud800 half",
    "dogs dogs dogs",
    "犬がいる",
    "a" * 300,
]


def as_lists(rows: FlatRows) -> list[list[int]]:
    ends = np.cumsum(rows.lengths)
    return [rows.values[end - length : end].tolist() for end, length in zip(ends, rows.lengths, strict=True)]


@pytest.mark.parametrize("keeps_end", [False, True])
@pytest.mark.parametrize("with_tags", [False, True])
def test_flat_rows_are_cut_as_single_rows_are(fresh_seed: int, keeps_end: bool, with_tags: bool) -> None:
    chance = random.Random(fresh_seed)
    rows = [[*range(10, 10 + chance.randrange(9)), EOS_ID] for _ in range(200)]
    tags = [[5] * chance.randrange(4) for _ in rows] if with_tags else []
    tagged = [[*own, *row] for own, row in zip(tags or [[]] * len(rows), rows, strict=True)]
    flat = FlatRows.of_ids(rows).behind(tags)
    assert as_lists(flat) == tagged
    for limit in (1, 3, 6, 50):
        cut = LengthLimits(cut_source=limit, keeps_end=keeps_end).cut(flat, tags)
        own_tags = map(len, tags or [[]] * len(rows))
        assert as_lists(cut) == [list(cut_row(row, limit, number, keeps_end)) for row, number in zip(tagged, own_tags, strict=True)]


@pytest.mark.parametrize("keeps_end", [False, True])
def test_flat_frames_are_cut_as_single_recordings_are(keeps_end: bool) -> None:
    frames = [np.random.default_rng(length).random((length, 3), dtype=np.float32) for length in (2, 7, 4, 9)]
    cut = LengthLimits(cut_source=4, keeps_end=keeps_end).cut(FlatRows.of_arrays(frames), ())
    np.testing.assert_array_equal(cut.values, np.concatenate([cut_row(row, 4, 0, keeps_end) for row in frames]))
    assert cut.lengths.tolist() == [2, 4, 4, 4]


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char", "symbols"])
@pytest.mark.parametrize("decompose", [False, True])
def test_rows_encoded_at_once_are_those_of_each_text_alone(kind: str, decompose: bool) -> None:
    settings = SubwordSettings.model_validate({"model": kind, "vocabulary_size": 60, "decompose": decompose})
    model = train_subword([text for text in TEXTS if "犬" not in text], settings)
    assert as_lists(model.encode_rows(TEXTS * 3)) == [[*model.encode([text])[0], EOS_ID] for text in TEXTS * 3]


def test_texts_are_escaped_at_once_as_alone() -> None:
    for texts in (TEXTS, ["plain", "ä"], ["a\ud800", "\udc00b"], []):
        assert escape_all(texts) == [escape(text) for text in texts]


def test_items_are_read_ahead_in_their_order_and_an_error_comes_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise ValueError("the sixth")

    seen = []
    with pytest.raises(ValueError, match="the sixth"):
        for item in read_ahead(items()):
            seen.append(item)
    assert seen == [0, 1, 2, 3, 4]
    assert list(read_ahead([])) == []


def test_ids_take_16_bits_on_the_disk_and_32_in_a_dataset(tmp_path: Path) -> None:
    model = train_subword(TEXTS[:1], SubwordSettings(model="char"))
    chunk = PairChunk(["two dogs", "dog"], ["dog", "two"])
    counts = encode_split([chunk], Tokenizers(model, model), tmp_path, "train", LengthLimits(source=5))
    assert (counts.pairs, counts.dropped_too_long, counts.source.tokens) == (1, 1, 4)
    assert np.load(values_path(tmp_path, "train", "source")).dtype == np.uint16
    source = TokenizedDataset.open(tmp_path, "train").source(0)
    assert source.dtype == np.int32
    assert source.tolist() == [*model.encode(["dog"])[0], EOS_ID]


@pytest.mark.parametrize(("vocabulary_size", "bits"), [(1 << 16, 16), ((1 << 16) + 1, 32)])
def test_the_largest_id_survives_the_type_on_the_disk(tmp_path: Path, vocabulary_size: int, bits: int) -> None:
    with RaggedWriter(tmp_path, "train", "target", dtype=id_dtype(vocabulary_size)) as writer:
        writer.append(FlatRows.of_ids([[4, vocabulary_size - 1], [EOS_ID]]))
    values = np.load(values_path(tmp_path, "train", "target"))
    assert (values.dtype.itemsize * 8, values.tolist()) == (bits, [4, vocabulary_size - 1, EOS_ID])
