"""Picture files of many kinds: what is read, and what is refused with which reason."""

from __future__ import annotations

import io
import re
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seq2seq_core.errors import UserError
from seq2seq_core.pictures.picture_file import PictureError, PictureTooLarge, read_picture

GREY = np.linspace(0, 255, 24, dtype=np.uint8).reshape(4, 6)


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


def read(content: bytes, **options: bool | int) -> np.ndarray:
    return read_picture(io.BytesIO(content), **options).pixels_HWC  # type: ignore[arg-type]


def make_bomb() -> bytes:
    """A PNG file of a few bytes whose header promises a picture of 100,000 × 100,000 pixels."""
    content = bytearray(encode(Image.new("L", (8, 8))))
    content[16:24] = (100_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


def make_animation() -> bytes:
    frames = [Image.fromarray(np.full((3, 3), shade, dtype=np.uint8)) for shade in (10, 240)]
    return encode(frames[0], "GIF", save_all=True, append_images=frames[1:])


def test_a_grey_picture_is_read_as_it_is() -> None:
    pixels_HWC = read(encode(Image.fromarray(GREY)))
    assert (pixels_HWC[:, :, :3] == GREY[:, :, None]).all()
    assert (pixels_HWC[:, :, 3] == 255).all()


@pytest.mark.parametrize(
    ("convert", "kind"),
    [
        (lambda image: image.convert("CMYK"), "TIFF"),
        (lambda image: image.convert("P"), "PNG"),
        (lambda image: image.convert("LA"), "PNG"),
        (lambda image: image.convert("RGB"), "BMP"),
        (lambda image: Image.fromarray(np.asarray(image).astype(np.uint16) * 257), "PNG"),
        (lambda image: Image.fromarray(np.asarray(image).astype(np.uint16) * 257), "TIFF"),
        (lambda image: Image.fromarray(np.asarray(image).astype(np.int32) * 257), "TIFF"),
    ],
    ids=["cmyk", "palette", "opacity", "colours", "16 bits", "16 bits tiff", "32 bits that fit 16"],
)
def test_other_modes_give_the_same_picture_and_digest(convert: Callable[[Image.Image], Image.Image], kind: str) -> None:
    plain = read_picture(io.BytesIO(encode(Image.fromarray(GREY))))
    other = read_picture(io.BytesIO(encode(convert(Image.fromarray(GREY)), kind)))
    assert np.abs(other.pixels_HWC.astype(int) - plain.pixels_HWC).max() <= 1
    assert (other.digest == plain.digest) == bool((other.pixels_HWC == plain.pixels_HWC).all())


def test_the_orientation_of_a_camera_is_obeyed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    turned = read(encode(Image.fromarray(GREY), exif=exif.tobytes()))
    assert turned.shape == (6, 4, 4)
    assert (turned[:, :, 0] == np.rot90(GREY, -1)).all()


def test_the_first_frame_of_an_animation_is_taken_where_that_is_asked_for() -> None:
    with pytest.raises(PictureError, match=r"^has 2 frames or pages; expected a single picture$"):
        read(make_animation())
    assert (read(make_animation(), takes_first=True)[:, :, 0] == 10).all()


FORMS = "expected a picture: PNG, JPEG, GIF, BMP, TIFF, WebP or PPM"
FAULTS: dict[str, tuple[bytes, str]] = {
    "zero bytes": (b"", f"empty: it has no bytes; {FORMS}"),
    "no picture": (b"not a picture" * 9, f"not a picture that can be read; {FORMS}"),
    "a header alone": (encode(Image.fromarray(GREY))[:20], "cut short or damaged"),
    "half a PNG": (
        encode(Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64)).astype(np.uint8)))[:2000],
        "cut short",
    ),
    "half a JPEG": (
        encode(Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64)).astype(np.uint8)), "JPEG")[:900],
        "cut",
    ),
    "a bomb": (make_bomb(), "must be a picture of at most 25,000,000 pixels, got"),
    "fractions": (encode(Image.fromarray(GREY.astype(np.float32)), "TIFF"), "has samples with fractions; expected 8 or 16 bits"),
    "32 bits": (encode(Image.fromarray(GREY.astype(np.int32) << 20), "TIFF"), "has samples of 32 bits; expected 8 or 16 bits"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_files_that_cannot_be_used_are_refused_with_the_reason(fault: str) -> None:
    content, reason = FAULTS[fault]
    with pytest.raises(PictureError, match=f"^{re.escape(reason)}"):
        read(content)


def test_a_large_picture_is_refused_before_it_is_decoded() -> None:
    content = encode(Image.fromarray(GREY))
    with pytest.raises(PictureTooLarge, match=r"^must be a picture of at most 23 pixels, got 6 × 4$"):
        read(content[:50], max_pixels=23)  # its pixels are not even there


def test_a_missing_file_and_a_missing_library_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PictureError, match=f"^no such file; {FORMS}$"):
        read_picture(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(UserError, match=r"needs the package Pillow, which is not installed; run: pip install pillow$"):
        read_picture(tmp_path)
