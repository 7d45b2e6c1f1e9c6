"""The pictures that a corpus names: their sizes, and whether they are lines."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seq2seq_core.corpus_survey.texts.usable_files import read_some
from seq2seq_core.pictures.picture_file import read_picture

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
        faults: why files cannot be used, by name.
    """

    height: int
    width: int
    max_shape: float
    has_colour: bool
    faults: dict[str, str]

    @property
    def are_lines(self) -> bool:
        """Whether they are lines of print or handwriting."""
        return self.width >= SHAPE_OF_A_LINE * self.height


class _Shown(NamedTuple):
    """A picture: its size in pixels, and whether colours matter."""

    height: int
    width: int
    has_colour: bool


def describe_pictures(folder: Path, names: Sequence[str]) -> PictureStatistics:
    """The statistics of the pictures that rows name.

    Args:
        folder: the corpus folder.
        names: the sources of rows.

    Raises:
        UserError: none of those read can be used; names the first.
    """
    found, faults = read_some(folder, names, "picture", _describe_picture)
    return PictureStatistics(
        height=round(statistics.median(picture.height for picture in found)),
        width=round(statistics.median(picture.width for picture in found)),
        max_shape=max(picture.width / picture.height for picture in found),
        has_colour=sum(picture.has_colour for picture in found) > len(found) / 4,
        faults=faults,
    )


def _describe_picture(path: Path) -> _Shown:
    picture = read_picture(path, takes_first=True)
    visible = picture.pixels_HWC[picture.pixels_HWC[:, :, 3] > 0][:, :3].astype(int)
    has_colour = len(visible) > 0 and float((visible.max(axis=1) - visible.min(axis=1)).mean()) >= ENOUGH_COLOUR
    return _Shown(picture.height, picture.width, has_colour)
