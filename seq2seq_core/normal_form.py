"""The normal form of text: the form that a model reads and writes, in training and in service."""

from __future__ import annotations

import json
import logging
import unicodedata
from pathlib import Path
from typing import Literal

from seq2seq_core import atomic
from seq2seq_core.config.section import Section

logger = logging.getLogger(__name__)


def _characters(*ranges: tuple[int, int]) -> str:
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


WHITE_SPACE = _characters(
    (0x9, 0xD), (0x1C, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F),
    (0x205F, 0x205F), (0x3000, 0x3000),
)  # fmt: skip
"""The characters that ``str.split`` and ``str.strip`` take for white space."""
FORMAT_CHARACTERS = _characters(
    (0xAD, 0xAD), (0x600, 0x605), (0x61C, 0x61C), (0x6DD, 0x6DD), (0x70F, 0x70F), (0x890, 0x891), (0x8E2, 0x8E2), (0x180E, 0x180E),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064), (0x2066, 0x206F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0x110BD, 0x110BD),
    (0x110CD, 0x110CD), (0x13430, 0x13438), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0001, 0xE0001), (0xE0020, 0xE007F),
)  # fmt: skip
"""The format characters (Unicode's category Cf), such as zero-width ones and marks of direction."""
BLANK_CHARACTERS = WHITE_SPACE + FORMAT_CHARACTERS


def is_blank(text: str) -> bool:
    """Whether a text is empty: nothing but white space and format characters.

    Args:
        text: such as a source.
    """
    return not text.strip() or (not text.isascii() and not text.strip(BLANK_CHARACTERS))


class NormalForm(Section):
    """The normalisation of text: Unicode first, then white space. A text in this form stays unchanged.

    A text of nothing but white space and format characters becomes the empty one, unless white space is kept.
    """

    unicode_normalization: Literal["none", "NFC", "NFKC"] = "none"
    """Unicode normal form of both sides, and of tags; ``none`` keeps the code points as they are."""
    whitespace: Literal["keep", "strip", "collapse"] = "strip"
    """``strip`` removes white space at the ends, ``collapse`` also makes each inner run one space."""

    def apply(self, text: str) -> str:
        """The text in this form.

        Args:
            text: a source, a target, a target prefix, or the value of a tag.
        """
        if self.unicode_normalization != "none" and not text.isascii():
            text = unicodedata.normalize(self.unicode_normalization, text)
        if self.whitespace == "keep":
            return text
        if is_blank(text):
            return ""
        return text.strip() if self.whitespace == "strip" else " ".join(text.split())

    def save(self, path: Path) -> None:
        """Writes the form as JSON.

        Args:
            path: such as ``data/prepared/normal_form.json``.
        """
        atomic.write_text(path, json.dumps(self.model_dump(), indent=1) + "\n")


AS_IT_IS = NormalForm(whitespace="keep")
"""The form that changes no text; the default of corpora and bundles that name none."""


def load_normal_form(path: Path) -> NormalForm:
    """The form of a prepared corpus.

    Args:
        path: a file that :meth:`NormalForm.save` wrote. If it is missing, the result is :data:`AS_IT_IS`, with a warning.
    """
    try:
        return NormalForm.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        logger.warning("%s: no such file; `s2s prepare` makes it. The model will read every text as it is", path)
        return AS_IT_IS
