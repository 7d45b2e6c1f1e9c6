from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.errors import MissingInput, UserError
from seq2seq_core.tokenization.ragged import offsets_path, values_path, write_ragged


def write(folder: Path, sources: list[list[int]], targets: list[list[int]]) -> None:
    write_ragged(folder, "train", "source", sources)
    write_ragged(folder, "train", "target", targets)


def test_rows_come_back_as_written(tmp_path: Path) -> None:
    write(tmp_path, [[5, 3], [6, 7, 3]], [[8, 9, 3], [3]])
    dataset = TokenizedDataset.open(tmp_path, "train")
    assert len(dataset) == 2
    assert dataset.source_lengths.tolist() == [2, 3]
    assert dataset.target_lengths.tolist() == [3, 1]
    assert [dataset.source(row).tolist() for row in range(2)] == [[5, 3], [6, 7, 3]]
    assert [dataset.target(row).tolist() for row in range(2)] == [[8, 9, 3], [3]]
    assert dataset.num_features == 0


def test_the_values_are_mapped_not_read(tmp_path: Path) -> None:
    write(tmp_path, [[5, 3]], [[8, 3]])
    row = TokenizedDataset.open(tmp_path, "train").source(0)
    assert isinstance(row, np.memmap)


def test_a_split_without_rows_is_empty(tmp_path: Path) -> None:
    write(tmp_path, [], [])
    assert len(TokenizedDataset.open(tmp_path, "train")) == 0


def test_frames_come_back_as_written(tmp_path: Path) -> None:
    frames = [np.random.default_rng(1).random((n, 5), dtype=np.float32) for n in (4, 2)]
    write_ragged(tmp_path, "train", "source", frames, features=5)
    write_ragged(tmp_path, "train", "target", [[3], [3]])
    dataset = TokenizedDataset.open(tmp_path, "train")
    assert dataset.num_features == 5
    assert dataset.source_lengths.tolist() == [4, 2]
    np.testing.assert_array_equal(dataset.source(1), frames[1])


def test_a_missing_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingInput) as caught:
        TokenizedDataset.open(tmp_path, "train")
    assert str(caught.value) == (
        f"{tmp_path}/train.source.values.npy: no such file; `s2s tokenize` (or `dvc repro tokenize`) makes it"
    )


def test_a_file_that_is_no_array_is_named(tmp_path: Path) -> None:
    write(tmp_path, [[5, 3]], [[8, 3]])
    values_path(tmp_path, "train", "target").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"train\.target\.values\.npy: cannot be read \(.*\); `s2s tokenize` .* makes it anew"):
        TokenizedDataset.open(tmp_path, "train")


def test_values_cut_short_are_noticed(tmp_path: Path) -> None:
    write(tmp_path, [[5, 3]], [[8, 3]])
    np.save(values_path(tmp_path, "train", "source"), np.array([5], np.int32))
    with pytest.raises(UserError) as caught:
        TokenizedDataset.open(tmp_path, "train")
    assert str(caught.value) == (
        f"{tmp_path}/train.source.values.npy: 1 values, expected as many as train.source.offsets.npy says; "
        "`s2s tokenize` (or `dvc repro tokenize`) makes them anew"
    )


def test_sides_of_unequal_length_are_noticed(tmp_path: Path) -> None:
    write(tmp_path, [[5, 3]], [[8, 3]])
    np.save(offsets_path(tmp_path, "train", "target"), np.array([0, 1, 2]))
    with pytest.raises(UserError) as caught:
        TokenizedDataset.open(tmp_path, "train")
    assert str(caught.value) == (
        f"{tmp_path}: train has 1 sources but 2 targets; `s2s tokenize` (or `dvc repro tokenize`) makes them anew"
    )
