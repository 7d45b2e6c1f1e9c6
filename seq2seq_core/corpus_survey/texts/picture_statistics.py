"""The pictures that a corpus names: their sizes, and whether they are lines."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seq2seq_core.errors import UserError
from seq2seq_core.pictures.picture_file import PictureError, read_picture

READ_PICTURES = 40
"""Pictures that are read, at even distances."""
SHAPE_OF_A_LINE = 3.0
"""Pictures whose median is so many times as wide as high are lines of print or handwriting."""
ENOUGH_COLOUR = 24
"""Mean distance of red, green and blue, of 255 levels, from which on a picture counts as coloured."""


@dataclass(frozen=True)
class PictureStatistics:
    """The pictures of a corpus.

    Attributes:
        height: the median height, in pixels.
        width: the median width.
        max_shape: the largest ratio of width to height.
        has_colour: whether colours matter, as far as one can see.
    """

    height: int
    width: int
    max_shape: float
    has_colour: bool

    @property
    def are_lines(self) -> bool:
        """Whether they are lines of print or handwriting."""
        return self.width >= SHAPE_OF_A_LINE * self.height


def describe_pictures(folder: Path, names: Sequence[str]) -> PictureStatistics:
    """The statistics of the pictures that rows name.

    Args:
        folder: the corpus folder.
        names: the sources of rows.

    Raises:
        UserError: a picture cannot be used; names it.
    """
    looked_at = names[:: max(1, len(names) // READ_PICTURES)][:READ_PICTURES]
    shapes, colours = [], 0
    for name in looked_at:
        if PurePosixPath(name).is_absolute() or not (folder / name).is_file():
            raise UserError(f"{folder}: no picture {name!r}; expected names relative to that folder, such as pictures/a.png")
        try:
            picture = read_picture(folder / name, takes_first=True)
        except PictureError as error:
            raise UserError(f"{folder / name}: {error}") from None
        shapes.append((picture.height, picture.width))
        visible = picture.pixels_HWC[picture.pixels_HWC[:, :, 3] > 0][:, :3].astype(int)
        colours += len(visible) > 0 and float((visible.max(axis=1) - visible.min(axis=1)).mean()) >= ENOUGH_COLOUR
    return PictureStatistics(
        height=round(statistics.median(height for height, _ in shapes)),
        width=round(statistics.median(width for _, width in shapes)),
        max_shape=max(width / height for height, width in shapes),
        has_colour=colours > len(shapes) / 4,
    )
