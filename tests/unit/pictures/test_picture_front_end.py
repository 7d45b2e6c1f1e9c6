"""Frames of pictures: columns of a line, patches of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seq2seq_core.config.frames.picture_settings import ImageSettings
from seq2seq_core.pictures.picture_file import PictureError
from seq2seq_core.pictures.picture_front_end import PictureFrontEnd, stretch_contrast


def make(**settings: Any) -> PictureFrontEnd:
    return PictureFrontEnd(settings=ImageSettings.model_validate(settings))


def test_columns_go_from_left_to_right_and_end_in_white() -> None:
    grey_HW = np.arange(4 * 6, dtype=np.uint8).reshape(4, 6) * 10
    frames_SF = make(height=4, columns=4).frames(grey_HW[:, :, None])
    assert frames_SF.shape == (2, 16)
    ink_HW = np.pad(255 - grey_HW, ((0, 0), (0, 2)))
    expected = [[ink_HW[row, 4 * frame + column] for column in range(4) for row in range(4)] for frame in range(2)]
    assert frames_SF.tolist() == expected


def test_patches_go_row_by_row_with_their_colours() -> None:
    front_end = make(layout="patches", height=4, width=6, patch=2, colour=True)
    pixels_HWC = np.random.default_rng(1).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    frames_SF = front_end.frames(pixels_HWC)
    assert frames_SF.shape == (6, 12)
    expected = [
        255 - pixels_HWC[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(-1) for row in range(2) for column in range(3)
    ]
    assert (frames_SF == np.array(expected)).all()
    assert (front_end.picture_of(frames_SF) == pixels_HWC).all()


def test_a_line_is_scaled_to_the_height_and_is_seen_again() -> None:
    front_end = make(height=8, columns=2)
    frames_SF = front_end.frames(np.full((16, 40, 1), 55, dtype=np.uint8))
    assert frames_SF.shape == (10, 16)
    assert (front_end.picture_of(frames_SF) == 55).all()


def test_what_is_transparent_gets_the_background() -> None:
    clear_HWC = np.zeros((4, 4, 4), dtype=np.uint8)
    assert not make(height=4).frames(clear_HWC).any()
    assert (make(height=4, background="#000000").frames(clear_HWC) == 255).all()


def test_a_picture_keeps_its_proportions_in_the_middle_of_the_grid() -> None:
    frames_SF = make(layout="patches", height=8, width=8, patch=8).frames(np.zeros((10, 20, 1), dtype=np.uint8))
    assert (frames_SF.reshape(8, 8)[2:6] == 255).all()
    assert not frames_SF.reshape(8, 8)[[0, 1, 6, 7]].any()


def test_contrast_is_stretched_unless_there_is_none() -> None:
    values = np.array([60] * 50 + [100] * 50, dtype=np.uint8)
    assert stretch_contrast(values).tolist() == [0] * 50 + [255] * 50
    assert stretch_contrast(values // 20).tolist() == (values // 20).tolist()
    line_HWC = np.full((4, 8, 1), 200, dtype=np.uint8)
    line_HWC[:, 3] = 90
    assert sorted(set(make(height=4, contrast="stretch").frames(line_HWC).ravel().tolist())) == [0, 255]


def test_a_picture_that_is_no_line_and_pixels_that_are_none_are_refused() -> None:
    with pytest.raises(PictureError, match="is 2000 × 1, which at a height of 40 gives 80,000 columns; expected at most 32,768"):
        make().frames(np.zeros((1, 2000, 1), dtype=np.uint8))
    with pytest.raises(PictureError, match="has no pixel"):
        make().frames(np.zeros((0, 3, 1), dtype=np.uint8))
    faulty: list[Any] = [np.zeros((4, 4), dtype=np.uint8), np.zeros((4, 4, 2), dtype=np.uint8), np.zeros((4, 4, 1))]
    for wrong in faulty:
        with pytest.raises(ValueError, match="expected pixels as an array of 8 bits"):
            make().frames(wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layout": "patches", "height": 20, "patch": 8}, "height must be a multiple of patch 8, got 20"),
        ({"layout": "patches", "height": 16, "width": 20, "patch": 8}, "width must be a multiple of patch 8, got 20"),
        ({"width": 20}, "width must be 0 with layout 'columns', whose width follows from the picture, got 20"),
        ({"colour": True}, "colour must be false with layout 'columns', got true"),
    ],
)
def test_settings_that_give_no_frames_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageSettings.model_validate(settings)
