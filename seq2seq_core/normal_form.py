"""The normal form of text: the one form in which a model reads and writes, in training and in service alike."""

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
    """How a text is normalised: Unicode first, then white space. A text in the form stays as it is."""

    unicode_normalization: Literal["none", "NFC", "NFKC"] = "none"
    """Unicode normal form of both sides, and of tags; ``none`` keeps the code points as they are."""
    whitespace: Literal["keep", "strip", "collapse"] = "strip"
    """``strip`` removes white space at the ends, ``collapse`` also makes each inner run one space."""

    def apply(self, text: str) -> str:
        """The text in this form.

        Args:
            text: a source, a target, a target's beginning, or the value of a tag.
        """
        if self.unicode_normalization != "none" and not text.isascii():
            text = unicodedata.normalize(self.unicode_normalization, text)
        if self.whitespace == "strip":
            return text.strip()
        return " ".join(text.split()) if self.whitespace == "collapse" else text

    def save(self, path: Path) -> None:
        """Writes the form as JSON.

        Args:
            path: the file.
        """
        atomic.write_text(path, json.dumps(self.model_dump(), indent=1) + "\n")


AS_IT_IS = NormalForm(whitespace="keep")
"""The form that changes no text: that of corpora and bundles which do not name another one."""


def load_normal_form(path: Path) -> NormalForm:
    """The form of a prepared corpus.

    Args:
        path: what :meth:`NormalForm.save` wrote. Where there is no such file, texts are taken as they are, with a warning.
    """
    try:
        return NormalForm.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        logger.warning("%s: no such file; `s2s prepare` makes it. The model will read every text as it is", path)
        return AS_IT_IS
