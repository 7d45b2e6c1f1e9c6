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


class NormalForm(Section):
    """The normalisation of text: Unicode first, then white space. A text in this form stays unchanged."""

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
        if self.whitespace == "strip":
            return text.strip()
        return " ".join(text.split()) if self.whitespace == "collapse" else text

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
