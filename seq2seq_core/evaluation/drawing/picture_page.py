"""A page with the worst examples of an evaluation, each with its picture; it needs no other file and no server."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.evaluator import Example
from seq2seq_core.pictures.picture_file import PictureError, read_picture

MOST_WIDE, MOST_HIGH = 900, 240
"""Largest size of a picture on the page, in pixels."""
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:1rem auto;padding:0 1rem}"
    "figure{margin:0 0 1.5rem;border-top:1px solid #ccc;padding-top:.75rem}img{max-width:100%;border:1px solid #ccc}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem;margin:.5rem 0}dt{color:#555}dd{margin:0}"
)


def worst_pictures(examples: Sequence[Example], folder: Path) -> str:
    """The page, in HTML.

    Args:
        examples: the worst first.
        folder: of the pictures.
    """
    figures = "".join(_figure(example, folder) for example in examples) or "<p>No hypothesis differs from its reference.</p>\n"
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Worst examples</title>\n'
        f"<style>{_STYLE}</style>\n<h1>Worst examples</h1>\n{figures}</html>\n"
    )


def _figure(example: Example, folder: Path) -> str:
    """A picture, its reference, its hypothesis, and how far they differ."""
    rows = {
        "row": str(example.row), "picture": example.source, "reference": example.reference, "hypothesis": example.hypothesis,
        "edits": str(example.edits),
    }  # fmt: skip
    cells = "".join(f'<dt>{name}</dt><dd dir="auto">{escape(text)}</dd>' for name, text in rows.items())
    try:
        image = f'<img alt="" src="data:image/png;base64,{_as_png(folder / example.source)}">'
    except (PictureError, UserError) as error:
        image = f"<p>{escape(str(error))}</p>"
    return f"<figure>{image}<dl>{cells}</dl></figure>\n"


def _as_png(file: Path) -> str:
    """The picture, made smaller where it is large, as a PNG file in base64."""
    from PIL import Image

    image = Image.fromarray(read_picture(file, takes_first=True).pixels_HWC)
    image.thumbnail((MOST_WIDE, MOST_HIGH))
    content = io.BytesIO()
    image.save(content, format="PNG")
    return base64.b64encode(content.getvalue()).decode("ascii")
