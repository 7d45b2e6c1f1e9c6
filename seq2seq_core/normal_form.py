"""The normal form of text: the form that a model reads and writes, in training and in service."""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from seq2seq_core import atomic
from seq2seq_core.config.section import Section
from seq2seq_core.mending.mending_rule import MendingRule
from seq2seq_core.named_modules import load

logger = logging.getLogger(__name__)

MENDING_RULES = "seq2seq_core.mending.rules"
"""The package with one module per mending rule."""
MendingName = Literal["mojibake", "c1_controls", "escaped_text", "invisible_characters"]
"""A mending rule: the name of its module."""
MOST_ROUNDS = 8
"""How often the rules are tried again on what they made of a text."""


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
    """The normalisation of text: mending first, then Unicode, then white space. A text in this form stays unchanged.

    A text of nothing but white space and format characters becomes the empty one, unless white space is kept.
    """

    mend: tuple[MendingName, ...] = ()
    """Rules that mend faulty characters of both sides, in this order; a served model mends its inputs the same way. ``mojibake``:
    text read in the wrong encoding (``Ã©`` is é), by ftfy. ``c1_controls``: control characters that are quotation marks, dashes or
    € in cp1252. ``escaped_text``: entities of HTML (``&quot;``, ``&amp;#39;``). ``invisible_characters``: zero-width characters,
    marks of direction and soft hyphens are removed; joiners stay between letters that are not Latin."""
    unicode_normalization: Literal["none", "NFC", "NFKC"] = "none"
    """Unicode normal form of both sides, and of tags; ``none`` keeps the code points as they are."""
    whitespace: Literal["keep", "strip", "collapse"] = "strip"
    """``strip`` removes white space at the ends, ``collapse`` also makes each inner run one space."""

    def apply(self, text: str) -> str:
        """The text in this form.

        Args:
            text: a source, a target, a target prefix, or the value of a tag.
        """
        formed = self._apply_once(text)
        # One rule may uncover what another one mends: U+FF06 becomes the ampersand of an entity by NFKC.
        for _ in range(MOST_ROUNDS if self.mend else 0):
            if formed == text:
                break
            text, formed = formed, self._apply_once(formed)
        return formed

    def mending_rules(self) -> Iterator[tuple[str, MendingRule]]:
        """The names and rules of :attr:`mend`, in order."""
        for name in self.mend:
            yield name, load(MENDING_RULES, name).RULE

    def _apply_once(self, text: str) -> str:
        for _, rule in self.mending_rules():
            text = rule.apply(text)
        if self.unicode_normalization != "none" and not text.isascii():
            text = unicodedata.normalize(self.unicode_normalization, text)
        if self.whitespace == "keep":
            return text
        if is_blank(text):
            return ""
        return text.strip() if self.whitespace == "strip" else " ".join(text.split())

    @model_validator(mode="after")
    def _rules_are_different(self) -> Self:
        if len(set(self.mend)) < len(self.mend):
            raise ValueError(f"mend must name each rule once, got {', '.join(self.mend)}")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_no_mending(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Bundles and corpora without mending stay byte for byte what they were.
        values: dict[str, Any] = write(self)
        return values if self.mend else {name: value for name, value in values.items() if name != "mend"}

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
