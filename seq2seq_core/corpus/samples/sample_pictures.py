"""The bundled sample of pictures: written-out dates as lines of print, paired with their text.

The dates are those of the sample corpus in four languages with Latin letters. Pillow's own bitmap font draws them, and BMP files
hold them without compression: the bytes depend on no library's version but Babel's (see
:mod:`~seq2seq_core.corpus.samples.sample_dates`). Size, place, paper and ink of each picture follow from a hash of its text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.corpus.samples.sample_dates import SampleSummary, WrittenDate, generate_splits
from seq2seq_core.corpus.samples.sample_tables import check_tables, write_tables
from seq2seq_core.errors import UserError

LANGUAGES = ("en", "de", "fr", "es")
"""Languages whose letters the font has."""
PICTURE_ROWS = {"train": 1200, "dev": 100, "test": 150}
FOLDER = "lines"
COLUMNS = ("source", "target", "language")


def write_sample_pictures(folder: Path, rows: dict[str, int] | None = None, is_forced: bool = False) -> SampleSummary:
    """A summary of the sample, written as ``train.tsv``, ``dev.tsv`` and ``test.tsv`` with a header row, and pictures in ``lines``.

    Args:
        folder: the output folder, created if missing; other files stay.
        rows: most rows by split; None: as many as the sample has.
        is_forced: whether tables of the same names with other content are replaced.

    Raises:
        UserError: Babel or Pillow is not installed, or a table would be lost.
    """
    chosen = {
        split: [row for row in dates if row.language in LANGUAGES][: (rows or PICTURE_ROWS)[split]]
        for split, dates in generate_splits().items()
    }
    texts = {f"{split}.tsv": _table(split, own) for split, own in chosen.items()}
    check_tables(folder, texts, is_forced)
    for split, own in chosen.items():
        for number, row in enumerate(own):
            _write_picture(folder / _picture_name(split, number), row)
    return SampleSummary(folder, {split: len(own) for split, own in chosen.items()}, write_tables(folder, texts, is_forced))


def _picture_name(split: str, number: int) -> str:
    return f"{FOLDER}/{split}-{number:04d}.bmp"


def _table(split: str, rows: Sequence[WrittenDate]) -> str:
    named = [(_picture_name(split, number), row.source, row.language) for number, row in enumerate(rows)]
    return "".join("\t".join(cells) + "\n" for cells in (COLUMNS, *named))


def _write_picture(path: Path, row: WrittenDate) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_line(row.source)).save(path, format="BMP")


def draw_line(text: str) -> NDArray[np.uint8]:
    """The picture of a line of print: pixels_HW, 255 for white, always the same for the same text.

    Args:
        text: of letters that Latin-1 has.

    Raises:
        UserError: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise UserError("pictures are drawn with Pillow, which is not installed; run: pip install pillow") from None
    font, chance = ImageFont.load_default_imagefont(), hashlib.sha256(text.encode()).digest()
    left, top, right, bottom = (int(edge) for edge in font.getbbox(text))
    # A larger picture repeats each pixel, which is the same whatever the library's filters.
    scale, margins = 2 + chance[0] % 2, [2 + byte % 5 for byte in chance[1:5]]
    paper, ink = 255 - chance[5] % 40, chance[6] % 90
    image = Image.new("L", (right - left + margins[0] + margins[1], bottom - top + margins[2] + margins[3]), paper)
    ImageDraw.Draw(image).text((margins[0] - left, margins[2] - top), text, fill=ink, font=font)
    pixels: NDArray[np.uint8] = np.repeat(np.repeat(np.asarray(image), scale, axis=0), scale, axis=1)
    return pixels
