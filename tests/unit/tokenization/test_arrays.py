from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.tokenization.growing_array import GrowingArray
from seq2seq_core.tokenization.ragged import RaggedWriter, offsets_path, values_path


@pytest.mark.parametrize("chunks", [[], [3], [0, 5, 100_000, 1]])
def test_a_growing_array_is_a_plain_npy_file(tmp_path: Path, chunks: list[int]) -> None:
    parts = [np.arange(n, dtype=np.int64) for n in chunks]
    with GrowingArray(tmp_path / "x.npy", np.int64) as array:
        for part in parts:
            array.append(part)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), np.concatenate([np.zeros(0, np.int64), *parts]))


def test_rows_of_another_shape_are_refused(tmp_path: Path) -> None:
    with (
        GrowingArray(tmp_path / "x.npy", np.float32, (3,)) as array,
        pytest.raises(ValueError, match=r"x\.npy: rows must have the shape"),
    ):
        array.append(np.zeros((2, 4), np.float32))


def test_ragged_rows_are_flat_values_and_offsets(tmp_path: Path) -> None:
    with RaggedWriter(tmp_path, "train", "source") as writer:
        writer.extend([[5, 6], []])
        writer.extend([])
        writer.extend([[7]])
        assert (writer.rows, writer.num_values) == (3, 3)
    values, offsets = np.load(values_path(tmp_path, "train", "source")), np.load(offsets_path(tmp_path, "train", "source"))
    assert (values.dtype, offsets.dtype) == (np.int32, np.int64)
    assert (values.tolist(), offsets.tolist()) == ([5, 6, 7], [0, 2, 2, 3])


def test_ragged_frames_keep_their_features(tmp_path: Path) -> None:
    frames = [np.random.default_rng(0).random((n, 4), dtype=np.float32) for n in (2, 3)]
    with RaggedWriter(tmp_path, "train", "source", features=4) as writer:
        writer.extend(frames)
    np.testing.assert_array_equal(np.load(values_path(tmp_path, "train", "source")), np.concatenate(frames))
    assert np.load(offsets_path(tmp_path, "train", "source")).tolist() == [0, 2, 5]
