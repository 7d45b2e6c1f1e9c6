"""Pixels of picture files, upright, with 8 bits a channel. Other files raise an error with the reason.

The package Pillow reads them, which the extra ``pictures`` brings.

Shapes: H height, W width, C channels.
"""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.errors import SourceFileError, UserError, library_errors

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 25_000_000
"""Most pixels of a picture, where nobody sets another limit."""
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
"""Formats that are read: the usual ones, which Pillow decodes by itself or by libraries that it ships."""
_EXPECTED = "expected a picture: PNG, JPEG, GIF, BMP, TIFF, WebP or PPM"
_DECODER_ERRORS = (SyntaxError, struct.error, zlib.error)
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I")


class PictureError(SourceFileError):
    """A picture cannot be used; says what was found and what was expected, without naming the file."""


class PictureTooLarge(PictureError):
    """A picture has too many pixels.

    Args:
        width: its width, in pixels.
        height: its height, in pixels.
        max_pixels: the limit.
    """

    def __init__(self, width: int, height: int, max_pixels: int) -> None:
        super().__init__(f"must be a picture of at most {max_pixels:,} pixels, got {width} × {height}")


@dataclass(frozen=True)
class Picture:
    """The pixels of a picture.

    Attributes:
        pixels_HWC: red, green, blue and opacity, from 0 to 255; at least one.
    """

    pixels_HWC: NDArray[np.uint8]

    @property
    def height(self) -> int:
        """H."""
        return int(self.pixels_HWC.shape[0])

    @property
    def width(self) -> int:
        """W."""
        return int(self.pixels_HWC.shape[1])

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of size and pixels; pictures with equal digests are equal, whatever their files."""
        return hashlib.sha256(f"{self.width}x{self.height}:".encode() + self.pixels_HWC.tobytes()).hexdigest()


def read_picture(file: Path | BinaryIO, max_pixels: int = MAX_PIXELS, takes_first: bool = False) -> Picture:
    """The picture in a file: turned as its EXIF orientation says, with 8 bits a channel.

    Grey, palettes, CMYK, YCbCr and Lab become red, green and blue. Of 16 bits the upper 8 are kept, rounded.

    Args:
        file: its path, or its bytes as a stream.
        max_pixels: a larger picture is refused before it is decoded.
        takes_first: whether the first frame of an animation, or the first page of several, is the picture.

    Raises:
        PictureError: there is no such file, it is no picture, is cut short, too large, animated, or its samples are no integers.
        UserError: Pillow is not installed.
    """
    with _opened(file, max_pixels) as image:
        if image.width * image.height > max_pixels:
            raise PictureTooLarge(image.width, image.height, max_pixels)
        with library_errors(_damaged, *_DECODER_ERRORS):
            frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO" and not takes_first:
            raise PictureError(f"has {frames} frames or pages; expected a single picture")
        with library_errors(_damaged, *_DECODER_ERRORS):
            image.load()
        return Picture(_as_rgba(image))


def _as_rgba(image: Image) -> NDArray[np.uint8]:
    """The pixels_HWC of a loaded picture, upright.

    Raises:
        PictureError: its samples are neither of 8 nor of 16 bits.
    """
    import PIL.Image
    import PIL.ImageOps

    with library_errors(_damaged, *_DECODER_ERRORS):
        upright = PIL.ImageOps.exif_transpose(image)
    if upright.mode in _SIXTEEN_BITS:  # Pillow's own conversion would make everything above 255 white
        samples_HW = np.asarray(upright).astype(np.int64)
        if samples_HW.min() < 0 or samples_HW.max() > 65_535:
            raise PictureError("has samples of 32 bits; expected 8 or 16 bits a channel")
        upright = PIL.Image.fromarray(((samples_HW + 128) // 257).astype(np.uint8))
    elif upright.mode == "F":
        raise PictureError("has samples with fractions; expected 8 or 16 bits a channel")
    elif upright.mode not in ("RGB", "RGBA", "L", "LA", "P", "PA", "1"):
        with library_errors(_damaged, *_DECODER_ERRORS):
            upright = upright.convert("RGB")
    pixels: NDArray[np.uint8] = np.asarray(upright.convert("RGBA"))
    return pixels


@contextmanager
def _opened(file: Path | BinaryIO, max_pixels: int) -> Iterator[Image]:
    """The file, opened; its pixels are not read yet.

    Raises:
        PictureError: it is missing, cannot be read, or is no picture.
    """
    library = _pillow()
    try:
        if isinstance(file, Path) and not file.is_file():
            raise PictureError(f"no such file; {_EXPECTED}")
        size = file.stat().st_size if isinstance(file, Path) else file.seek(0, 2)
        if not size:
            raise PictureError(f"empty: it has no bytes; {_EXPECTED}")
        with warnings.catch_warnings(), library_errors(_damaged, *_DECODER_ERRORS):
            warnings.simplefilter("ignore")  # of large pictures, which are refused by their own limit, and of odd EXIF
            try:
                image = library.open(file, formats=FORMATS)
            except library.DecompressionBombError:
                raise PictureError(f"must be a picture of at most {max_pixels:,} pixels, got many more") from None
            except library.UnidentifiedImageError:
                raise PictureError(f"not a picture that can be read; {_EXPECTED}") from None
        with image:
            yield image
    except OSError as error:
        raise PictureError(f"cannot be read ({error.strerror or error}); {_EXPECTED}") from None


def _pillow() -> Any:
    """The module ``PIL.Image``."""
    try:
        import PIL.Image
    except ImportError:
        raise UserError("reading pictures needs the package Pillow, which is not installed; run: pip install pillow") from None
    return PIL.Image


def _damaged(error: Exception) -> PictureError:
    if isinstance(error, PictureError):
        return error
    return PictureError(f"cut short or damaged ({str(error).rstrip('. ') or type(error).__name__})")
