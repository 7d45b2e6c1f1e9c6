"""The front end of pictures: pixels to the frames that a model reads. Manifest and bundle store its settings.

Shapes: H height, W width, C channels, S frames, F values of a frame.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from seq2seq_core.config.frames.picture_settings import ImageSettings
from seq2seq_core.pictures.picture_file import MAX_PIXELS, PictureError, read_picture

MAX_SCALED_WIDTH = 32_768
"""Most columns of a scaled line: a picture that is far wider than high is no line, and would not fit into memory."""
SMALLEST_RANGE = 16
"""Contrast is stretched where dark and light differ by at least so many of 255 levels: an empty page stays empty."""
INK_MARGIN = 0.01
"""Share of the pixels that may become black, and that may become white, where contrast is stretched."""


class PictureFrontEnd(BaseModel):
    """Pixels to frames of ink: 0 is white and 255 black, so that what is added around a picture is paper."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: ImageSettings
    """How frames are made."""

    @property
    def frame_width(self) -> int:
        """F."""
        return self.settings.frame_width

    def read(self, source: Path | bytes, max_pixels: int = MAX_PIXELS, takes_first: bool = True) -> NDArray[np.uint8]:
        """The frames_SF of a picture file.

        Args:
            source: the file's path, or its content.
            max_pixels: a larger picture is refused.
            takes_first: whether the first frame of an animation is the picture.

        Raises:
            PictureError: the file cannot be used.
            UserError: Pillow is not installed.
        """
        file = source if isinstance(source, Path) else io.BytesIO(source)
        return self.frames(read_picture(file, max_pixels, takes_first).pixels_HWC)

    def frames(self, pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The frames_SF of a picture; at least one. They are stored as 8 bits, and divided by 255 where a model reads them.

        Args:
            pixels_HWC: from 0 to 255: grey (C is 1), red, green and blue (3), or these with the opacity (4).

        Raises:
            PictureError: the picture has no pixel, or is far wider than high.
            ValueError: the pixels are not of that shape.
        """
        if pixels_HWC.ndim != 3 or pixels_HWC.shape[2] not in (1, 3, 4) or pixels_HWC.dtype != np.uint8:
            raise ValueError(
                "expected pixels as an array of 8 bits, of (height, width, channels) with 1, 3 or 4 channels, got "
                f"{pixels_HWC.dtype} {pixels_HWC.shape}"
            )
        if not pixels_HWC.size:
            raise PictureError("has no pixel; expected at least one")
        return self._columns(pixels_HWC) if self.settings.layout == "columns" else self._patches(pixels_HWC)

    def picture_of(self, frames_SF: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture that frames form, as a model sees it: pixels_HWC with 1 or 3 channels, 255 for white.

        Args:
            frames_SF: from :meth:`frames`.
        """
        settings = self.settings
        if settings.layout == "columns":
            return 255 - frames_SF.reshape(-1, settings.height).T[:, :, None]
        (rows, columns), patch = settings.grid, settings.patch
        patches = frames_SF.reshape(rows, columns, patch, patch, settings.channels)
        return 255 - patches.transpose(0, 2, 1, 3, 4).reshape(rows * patch, columns * patch, settings.channels)

    def _columns(self, pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Columns of the picture at the height of the settings, some neighbouring ones as a frame; white behind the last one."""
        settings = self.settings
        height, width = pixels_HWC.shape[:2]
        scaled_width = max(1, round(width * settings.height / height))
        if scaled_width > MAX_SCALED_WIDTH:
            raise PictureError(
                f"is {width} × {height}, which at a height of {settings.height} gives {scaled_width:,} columns; expected at most "
                f"{MAX_SCALED_WIDTH:,}"
            )
        ink_HWC = self._ink(pixels_HWC, scaled_width, settings.height)
        padded_HW = np.pad(ink_HWC[:, :, 0], ((0, 0), (0, -scaled_width % settings.columns)))
        return np.ascontiguousarray(padded_HW.T).reshape(-1, settings.frame_width)

    def _patches(self, pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Squares of the picture, row by row; the picture keeps its proportions, in the middle of a white one."""
        settings, (height, width) = self.settings, pixels_HWC.shape[:2]
        room_height, room_width = settings.height, settings.grid_width
        factor = min(room_height / height, room_width / width)
        size = max(1, min(room_width, round(width * factor))), max(1, min(room_height, round(height * factor)))
        ink_HWC = self._ink(pixels_HWC, *size)
        whole_HWC = np.zeros((room_height, room_width, ink_HWC.shape[2]), dtype=np.uint8)
        top, left = (room_height - size[1]) // 2, (room_width - size[0]) // 2
        whole_HWC[top : top + size[1], left : left + size[0]] = ink_HWC
        rows, columns = settings.grid
        cut = whole_HWC.reshape(rows, settings.patch, columns, settings.patch, -1).transpose(0, 2, 1, 3, 4)
        return np.ascontiguousarray(cut).reshape(rows * columns, settings.frame_width)

    def _ink(self, pixels_HWC: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
        """The scaled picture on the background, 255 minus its brightness: (height, width, 1 or 3)."""
        from PIL import Image

        settings = self.settings
        image = Image.fromarray(pixels_HWC[:, :, 0] if pixels_HWC.shape[2] == 1 else pixels_HWC)
        if image.mode == "RGBA":
            paper = Image.new("RGBA", image.size, settings.background)
            image = Image.alpha_composite(paper, image)
        image = image.convert("RGB" if settings.channels == 3 else "L")
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        ink_HWC = 255 - np.asarray(image).reshape(height, width, settings.channels)
        return stretch_contrast(ink_HWC) if settings.contrast == "stretch" else ink_HWC


def stretch_contrast(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The values, with the lowest hundredth at 0, the highest at 255, and those between in proportion.

    Args:
        ink: values of any shape; unchanged where they hardly differ.
    """
    low, high = (int(value) for value in np.quantile(ink, [INK_MARGIN, 1.0 - INK_MARGIN], method="nearest"))
    if high - low < SMALLEST_RANGE:
        return ink
    stretched = (np.clip(ink.astype(np.int64), low, high) - low) * 255 // (high - low)
    return stretched.astype(np.uint8)
