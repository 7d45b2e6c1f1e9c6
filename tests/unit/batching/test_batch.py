from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from seq2seq_core.batching.batch import collate, collate_sources
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.tokenization.ragged import write_ragged


def open_dataset(folder: Path) -> TokenizedDataset:
    write_ragged(folder, "train", "source", [[5, 3], [6, 7, 8, 3], [9, 3]])
    write_ragged(folder, "train", "target", [[8, 9, 3], [3], [4, 3]])
    return TokenizedDataset.open(folder, "train")


def test_a_batch_is_padded_and_shifted(tmp_path: Path) -> None:
    batch = collate(open_dataset(tmp_path), np.array([1, 0]))
    assert batch.source.values.tolist() == [[6, 7, 8, 3], [5, 3, 0, 0]]
    assert batch.source.padding_mask_BS.tolist() == [[False] * 4, [False, False, True, True]]
    assert batch.target_in_BT.tolist() == [[2, 0, 0], [2, 8, 9]]
    assert batch.target_out_BT.tolist() == [[3, 0, 0], [8, 9, 3]]
    assert batch.target_padding_mask_BT.tolist() == [[False, True, True], [False] * 3]
    assert batch.num_target_tokens == 4
    assert batch.indices.tolist() == [1, 0]
    assert batch.source.num_rows == 2
    assert {tensor.dtype for tensor in (batch.source.values, batch.target_in_BT, batch.target_out_BT)} == {torch.int64}


def test_a_batch_moves_to_a_device_whole(tmp_path: Path) -> None:
    batch = collate(open_dataset(tmp_path), [0, 2]).to("meta")
    tensors = (batch.source.values, batch.source.lengths_B, batch.target_in_BT, batch.target_out_BT, batch.target_lengths_B)
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_frames_are_padded_with_zeros_and_masked_by_length(tmp_path: Path) -> None:
    frames = [np.zeros((1, 2), np.float32), np.ones((3, 2), np.float32)]
    source = collate_sources(frames)
    assert source.values.shape == (2, 3, 2)
    assert source.values.dtype == torch.float32
    assert source.values[0].tolist() == [[0, 0]] * 3
    assert source.padding_mask_BS.tolist() == [[False, True, True], [False] * 3]


def test_frames_are_collated_with_their_targets(tmp_path: Path) -> None:
    frames = [np.random.default_rng(2).random((n, 3), dtype=np.float32) for n in (2, 4)]
    write_ragged(tmp_path, "train", "source", frames, features=3)
    write_ragged(tmp_path, "train", "target", [[7, 3], [8, 3]])
    batch = collate(TokenizedDataset.open(tmp_path, "train"), [0, 1])
    assert batch.source.values.shape == (2, 4, 3)
    np.testing.assert_array_equal(batch.source.values[0, :2].numpy(), frames[0])
    assert batch.target_in_BT.tolist() == [[2, 7], [2, 8]]


def test_lists_of_ids_make_a_source() -> None:
    source = collate_sources([[4, 3], [3]])
    assert source.values.tolist() == [[4, 3], [3, 0]]
    assert source.lengths_B.tolist() == [2, 1]
