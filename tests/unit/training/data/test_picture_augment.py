"""Pictures that training changes: by how much, and that the change follows from the update and the pair alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.frames.picture_settings import ImageSettings, PictureAugment
from seq2seq_core.tokenization.ragged import RaggedWriter, write_ragged
from seq2seq_core.training.data.pair_reader import StoredPairs
from seq2seq_core.training.data.picture_augment import ChangedPictures, PictureChange, draw_change, move_picture

LINE = ImageSettings(height=8, columns=2)
GRID = ImageSettings(layout="patches", height=8, width=8, patch=4, colour=True)
ALL = {"shift": 0.2, "scale": 0.2, "slant": 0.3, "contrast": 0.3, "noise": 0.1}


def open_dataset(folder: Path, image: ImageSettings) -> TokenizedDataset:
    lengths = (12, 5) if image.layout == "columns" else (4, 4)
    chance = np.random.default_rng(1)
    with RaggedWriter(folder, "train", "source", image.frame_width, np.uint8) as writer:
        writer.extend([chance.integers(0, 256, (length, image.frame_width)).astype(np.uint8) for length in lengths])
    write_ragged(folder, "train", "target", [[5, 3]] * len(lengths))
    return TokenizedDataset.open(folder, "train")


def make_pairs(dataset: TokenizedDataset, image: ImageSettings, **settings: Any) -> ChangedPictures:
    return ChangedPictures(StoredPairs(dataset), PictureAugment.model_validate(settings), image)


@pytest.mark.parametrize("image", [LINE, GRID], ids=["line", "grid"])
def test_a_change_follows_from_the_update_and_the_pair_alone(image: ImageSettings, tmp_path: Path, fresh_seed: int) -> None:
    pairs = make_pairs(open_dataset(tmp_path, image), image, **ALL)
    both, alone = pairs.read(np.array([0, 1]), fresh_seed), pairs.read(np.array([1]), fresh_seed)
    length = int(alone.source.lengths_B[0])
    assert both.source.values[1, :length].equal(alone.source.values[0, :length])
    assert both.source.values.min() >= 0.0
    assert both.source.values.max() <= 1.0
    other = pairs.read(np.array([1]), fresh_seed + 1).source.values
    assert other.shape != alone.source.values.shape or not other.equal(alone.source.values)
    assert both.target_out_BT.tolist() == [[5, 3], [5, 3]]


@pytest.mark.parametrize("image", [LINE, GRID], ids=["line", "grid"])
def test_a_change_by_nothing_leaves_the_frames(image: ImageSettings, tmp_path: Path) -> None:
    dataset = open_dataset(tmp_path, image)
    plain = StoredPairs(dataset).read(np.array([0, 1]), 1).source
    changed = make_pairs(dataset, image).read(np.array([0, 1]), 1).source
    assert changed.values.equal(plain.values)
    assert changed.lengths_B.tolist() == plain.lengths_B.tolist()


def test_a_picture_moves_by_the_share_that_was_drawn() -> None:
    picture_CHW = torch.zeros(1, 8, 8)
    picture_CHW[0, 3, 2] = 1.0
    moved_CHW = move_picture(picture_CHW, PictureChange(shift=(0.25, 0.5)), keeps_width=True)
    assert moved_CHW[0, 5, 6].item() == pytest.approx(1.0, abs=1e-5)
    assert moved_CHW.sum().item() == pytest.approx(1.0, abs=1e-5)


def test_a_line_grows_with_its_scale_and_leans_by_its_slant() -> None:
    picture_CHW = torch.zeros(1, 9, 20)
    picture_CHW[0, :, 10] = 1.0
    wide_CHW = move_picture(picture_CHW, PictureChange(scale=(1.0, 1.5)), keeps_width=False)
    assert wide_CHW.shape == (1, 9, 30)
    assert wide_CHW[0, 4].argmax().item() in (15, 16)
    leaning_CHW = move_picture(picture_CHW, PictureChange(slant=1.0), keeps_width=False)
    places = leaning_CHW[0].argmax(dim=1).tolist()
    assert np.abs(np.array(places) - np.arange(places[0], places[0] - 9, -1)).max() <= 1, "each row is a pixel to the left"


def test_draws_stay_within_the_settings_and_fill_them(fresh_seed: int) -> None:
    chance, settings = np.random.default_rng(fresh_seed), PictureAugment.model_validate(ALL)
    drawn = [draw_change(chance, settings, is_line=False) for _ in range(300)]
    for values, limit, middle in (
        ([one.scale[0] for one in drawn], 0.2, 1.0),
        ([one.scale[1] for one in drawn], 0.2, 1.0),
        ([one.shift[1] for one in drawn], 0.2, 0.0),
        ([one.slant for one in drawn], 0.3, 0.0),
        ([one.contrast for one in drawn], 0.3, 1.0),
    ):
        assert 0.8 * limit < np.abs(np.array(values) - middle).max() <= limit
    assert 0.08 < max(one.noise for one in drawn) <= 0.1
    assert draw_change(chance, settings, is_line=True).shift[1] == 0.0
