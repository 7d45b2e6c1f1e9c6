from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.errors import MissingInput, UserError
from seq2seq_core.tokenization.ragged import groups_path, offsets_path, values_path, write_ragged


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


def test_reading_rows_leaves_no_page_of_the_files_mapped(tmp_path: Path) -> None:
    write(tmp_path, [[5, 3]] * 50, [[8, 3]] * 50)
    np.save(groups_path(tmp_path, "train"), np.zeros(50, dtype=np.int32))
    dataset = TokenizedDataset.open(tmp_path, "train")
    assert dataset.groups is not None
    assert sum(len(dataset.source(row)) + len(dataset.target(row)) for row in range(50)) == 200
    assert int(dataset.source_lengths.sum() + dataset.lengths(np.arange(50))[1].sum() + dataset.groups.sum()) == 200
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_rows_stay_readable_when_the_files_are_replaced(tmp_path: Path) -> None:
    write(tmp_path, [[5, 3]], [[8, 3]])
    dataset = TokenizedDataset.open(tmp_path, "train")
    for path in tmp_path.iterdir():
        path.unlink()
    assert (dataset.source(0).tolist(), dataset.source_lengths.tolist()) == ([5, 3], [2])


def test_lengths_of_some_pairs_are_those_of_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_core.batching.dataset.ROWS_AT_ONCE", 3)
    chance = np.random.default_rng(4)
    write(tmp_path, [[5] * int(n) for n in chance.integers(1, 9, 20)], [[6] * int(n) for n in chance.integers(1, 9, 20)])
    whole, asked = TokenizedDataset.open(tmp_path, "train"), np.array([7, 0, 19, 7, 3])
    assert len({int(n) for n in whole.source_lengths}) > 3
    for dataset in (whole, whole.select(slice(None, None, -1)), whole.select(np.arange(19, -1, -1))):
        expected = ([len(dataset.source(i)) for i in asked], [len(dataset.target(i)) for i in asked])
        assert tuple(lengths.tolist() for lengths in dataset.lengths(asked)) == expected


def test_parts_of_parts_are_the_pairs_that_were_chosen(tmp_path: Path) -> None:
    write(tmp_path, [[n, 3] for n in range(10, 20)], [[n, 3] for n in range(30, 40)])
    np.save(groups_path(tmp_path, "train"), np.arange(10, dtype=np.int32))
    whole = TokenizedDataset.open(tmp_path, "train")
    for part in (
        whole.select(slice(2, 8)).select(np.array([5, 0])),
        whole.select(np.array([9, 7, 1, 2])).select(slice(1, None, 2)),
    ):
        assert part.groups is not None
        assert part.groups.tolist() == [7, 2]
        assert [int(part.source(i)[0]) - 10 for i in range(2)] == [int(part.target(i)[0]) - 30 for i in range(2)] == [7, 2]


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
