"""How pictures become frames, and the front end of the model that reads them."""

from __future__ import annotations

from typing import Any

from seq2seq_core.corpus_survey.texts.picture_statistics import PictureStatistics

LINE_HEIGHT, LINE_COLUMNS = 40, 8
GRID_SIDE, PATCH = 64, 8
LINE_CHANGES = {"shift": 0.05, "scale": 0.1, "slant": 0.15, "contrast": 0.3, "noise": 0.1}
PICTURE_CHANGES = {"shift": 0.08, "scale": 0.12, "slant": 0.05, "contrast": 0.2, "noise": 0.05}


def choose_image(pictures: PictureStatistics, are_lines: bool) -> dict[str, Any]:
    """The section ``tokenize.image``.

    Args:
        pictures: their statistics.
        are_lines: whether they are read as lines.
    """
    if are_lines:
        return {"layout": "columns", "height": LINE_HEIGHT, "columns": LINE_COLUMNS, "contrast": "stretch"}
    return {"layout": "patches", "height": GRID_SIDE, "width": GRID_SIDE, "patch": PATCH, "colour": pictures.has_colour}


def frames_of(pictures: PictureStatistics, are_lines: bool) -> tuple[float, float]:
    """The mean and the largest number of frames of a picture.

    Args:
        pictures: their statistics.
        are_lines: whether they are read as lines.
    """
    if not are_lines:
        return (GRID_SIDE / PATCH) ** 2, (GRID_SIDE / PATCH) ** 2
    return LINE_HEIGHT * pictures.width / pictures.height / LINE_COLUMNS, LINE_HEIGHT * pictures.max_shape / LINE_COLUMNS


def choose_reader(are_lines: bool, num_rows: int) -> dict[str, Any]:
    """The section ``model``.

    Args:
        are_lines: whether the pictures are lines.
        num_rows: pairs of train.
    """
    width = 128 if num_rows < 1_500 else 256
    if are_lines:
        return {
            "architecture": "lstm", "attention": "multi_head", "heads": 4, "width": width, "encoder_layers": 2, "dropout": 0.2,
            "front_end": {"channels": [16, 32, 64], "halvings": 3}, "ctc": True,
        }  # fmt: skip
    return {
        "architecture": "transformer", "decoder": "gru", "attention": "multi_head", "width": width, "heads": 4,
        "feedforward_width": 2 * width, "encoder_layers": 2, "bridge": "mean", "dropout": 0.3,
        "front_end": {"channels": [32, 64, 128], "halvings": 3}, "grid_positions": "learned",
    }  # fmt: skip
