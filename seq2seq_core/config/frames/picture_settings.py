"""Settings of pictures as sources: which files are accepted, how they become frames, and how training changes them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section

PictureLayout = Literal["columns", "patches"]
"""How a picture becomes a sequence: its columns from left to right, or the patches of a grid in reading order."""


class PictureFiles(Section):
    """Which picture files of a corpus are accepted; ``validate`` names each row with another one."""

    max_pixels: int = Field(default=25_000_000, ge=1, le=1_000_000_000)
    """Most pixels (width times height) of a picture; a larger one is refused before it is decoded."""
    min_width: int = Field(default=1, ge=1)
    """Least width, in pixels."""
    min_height: int = Field(default=1, ge=1)
    """Least height, in pixels."""
    animated: Literal["error", "first"] = "error"
    """Handling of a file of several frames or pages: an error, or its first one is the picture."""


class ImageSettings(Section):
    """How a picture becomes feature frames; the values of a frame are 0 for white and 1 for black."""

    layout: PictureLayout = "columns"
    """``columns`` suits a line of print or handwriting: a grey picture of a fixed height, whose columns are the frames. ``patches``
    suits other pictures: the squares of a grid over a picture of a fixed size, row by row (Dosovitskiy 2021)."""
    height: int = Field(default=40, ge=4, le=1024)
    """Height in pixels that a picture is scaled to; of ``patches``, a multiple of ``patch``."""
    width: int = Field(default=0, ge=0, le=1024)
    """Of ``patches``: the width, a multiple of ``patch``; 0: that of ``height``. A picture keeps its proportions, and is centred on
    the background. Of ``columns``: 0, because the width follows from the picture."""
    columns: int = Field(default=4, ge=1, le=64)
    """Of ``columns``: neighbouring columns that are one frame."""
    patch: int = Field(default=8, ge=1, le=256)
    """Of ``patches``: side of a square, in pixels."""
    colour: bool = False
    """Whether ``patches`` have red, green and blue instead of grey."""
    background: str = Field(default="#ffffff", pattern=r"^#[0-9a-fA-F]{6}$")
    """Colour behind the transparent parts of a picture."""
    contrast: Literal["none", "stretch"] = "none"
    """``stretch``: the darkest and lightest hundredth of the pixels become black and white, as scans differ in paper and ink."""

    @property
    def grid_width(self) -> int:
        """Width of a picture of patches, in pixels."""
        return self.width or self.height

    @property
    def channels(self) -> int:
        """Values of a pixel."""
        return 3 if self.layout == "patches" and self.colour else 1

    @property
    def frame_width(self) -> int:
        """Values of a frame."""
        return self.height * self.columns if self.layout == "columns" else self.patch**2 * self.channels

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the grid of patches."""
        return self.height // self.patch, self.grid_width // self.patch

    @model_validator(mode="after")
    def _layout_has_its_settings(self) -> Self:
        if self.layout == "columns":
            if self.width:
                raise ValueError(f"width must be 0 with layout 'columns', whose width follows from the picture, got {self.width}")
            if self.colour:
                raise ValueError("colour must be false with layout 'columns', got true")
            return self
        for name, value in (("height", self.height), ("width", self.grid_width)):
            if value % self.patch:
                raise ValueError(f"{name} must be a multiple of patch {self.patch}, got {value}")
        return self


class PictureAugment(Section):
    """Random changes of the pictures of train, drawn anew in every update."""

    shift: float = Field(default=0.0, ge=0.0, le=0.5)
    """Largest shift up or down, as a share of the height; of ``patches`` sideways too."""
    scale: float = Field(default=0.0, ge=0.0, le=0.5)
    """Largest change of the size: 0.1 draws factors from 0.9 to 1.1, for height and width each."""
    slant: float = Field(default=0.0, ge=0.0, le=1.0)
    """Largest slant: pixels to the side for a pixel upwards."""
    contrast: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Largest change of the contrast: 0.3 draws factors from 0.7 to 1.3 of the distance from middle grey."""
    noise: float = Field(default=0.0, ge=0.0, le=1.0)
    """Largest standard deviation of noise that is added to each pixel, whose values are from 0 to 1."""

    @property
    def is_on(self) -> bool:
        """Whether anything is changed."""
        return any((self.shift, self.scale, self.slant, self.contrast, self.noise))
