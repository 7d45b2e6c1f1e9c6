"""The parts of an update: parallel pairs, or monolingual sentences that an objective makes into pairs."""

from __future__ import annotations

from typing import Literal, NamedTuple

PartKind = Literal["pairs", "denoising", "back_translation"]
"""The origin of a part's pairs: the corpus, or a sentence with a noisy version of it, or a sentence with a translation of it."""


class Part(NamedTuple):
    """A part of an update."""

    kind: PartKind = "pairs"
    """The origin of its pairs."""
    language: str = ""
    """The language of its monolingual sentences."""
    pivot: str = ""
    """``back_translation``: the language of the translations."""


PAIRS = Part()
"""The parallel pairs of train: the only part, unless training uses monolingual sentences."""
