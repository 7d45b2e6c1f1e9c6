from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.regularization import SpecAugment
from seq2seq_core.tokenization.ragged import write_ragged
from seq2seq_core.training.data.pair_reader import StoredPairs
from seq2seq_core.training.data.spec_augment import MaskedPairs, draw_masks

LENGTHS, BANDS = (30, 12, 1), 6


@pytest.fixture
def dataset(tmp_path: Path) -> TokenizedDataset:
    """Frames of ones: two of six bands side by side."""
    write_ragged(tmp_path, "train", "source", [np.ones((length, 2 * BANDS), dtype=np.float32) for length in LENGTHS], 2 * BANDS)
    write_ragged(tmp_path, "train", "target", [[5, 3]] * len(LENGTHS))
    return TokenizedDataset.open(tmp_path, "train")


def make_pairs(dataset: TokenizedDataset, **settings: Any) -> MaskedPairs:
    return MaskedPairs(StoredPairs(dataset), SpecAugment.model_validate(settings), BANDS)


def test_masks_are_as_many_and_as_wide_as_the_settings_allow(fresh_seed: int) -> None:
    chance = np.random.default_rng(fresh_seed)
    settings = SpecAugment(frequency_masks=1, frequency_width=3, time_masks=1, time_width=8, time_fraction=0.5)
    widths = set()
    for _ in range(400):
        is_masked_SF = draw_masks(chance, 12, BANDS, settings)
        bands, frames = is_masked_SF.all(axis=0), is_masked_SF.all(axis=1)
        assert (is_masked_SF == np.logical_or.outer(frames, bands)).all()
        assert all(np.abs(np.diff(np.pad(line, 1).astype(int))).sum() <= 2 for line in (bands, frames))  # one span
        widths.add((int(bands.sum()), int(frames.sum())))
    assert {width for width, _ in widths} == {0, 1, 2, 3}
    assert {width for _, width in widths} == set(range(7))


def test_without_masks_nothing_is_masked() -> None:
    assert not SpecAugment().is_on
    assert not draw_masks(np.random.default_rng(1), 12, BANDS, SpecAugment()).any()


def test_stacked_frames_are_masked_alike_and_padding_and_targets_stay(dataset: TokenizedDataset, fresh_seed: int) -> None:
    pairs = make_pairs(dataset, frequency_masks=2, frequency_width=2, time_masks=2, time_width=5)
    plain, masked = StoredPairs(dataset).read(np.arange(3), fresh_seed), pairs.read(np.arange(3), fresh_seed)
    assert masked.source.lengths_B.tolist() == list(LENGTHS)
    assert masked.target_out_BT.tolist() == plain.target_out_BT.tolist()
    values = masked.source.values.numpy()
    assert (values[:, :, :BANDS] == values[:, :, BANDS:]).all()
    assert not values[1, 12:].any()
    assert dataset.source(0).min() == 1.0


def test_the_masks_of_a_pair_follow_from_the_update_and_the_pair_alone(dataset: TokenizedDataset, fresh_seed: int) -> None:
    pairs = make_pairs(dataset, frequency_masks=1, frequency_width=6, time_masks=3, time_width=20, time_fraction=1.0)
    together = pairs.read(np.array([0, 1, 2]), fresh_seed).source.values
    alone = pairs.read(np.array([1]), fresh_seed).source.values
    assert together[1, :12].tolist() == alone[0].tolist()
    others = [pairs.read(np.array([0]), fresh_seed + number).source.values.tolist() for number in range(1, 4)]
    assert any(other[0] != together[0].tolist() for other in others)
