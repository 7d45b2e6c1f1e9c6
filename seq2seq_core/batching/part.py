"""What a batch is to its update: parallel pairs, or monolingual sentences that are made into pairs in one way or another."""

from __future__ import annotations

from typing import Literal, NamedTuple

PartKind = Literal["pairs", "denoising", "back_translation"]
"""How a part's pairs come about: they are the corpus's own, or a sentence stands beside a noisy version or a translation of it."""


class Part(NamedTuple):
    """A part of an update."""

    kind: PartKind = "pairs"
    """How its pairs come about."""
    language: str = ""
    """Of its monolingual sentences."""
    pivot: str = ""
    """``back_translation``: the language of the translations."""


PAIRS = Part()
"""The parallel pairs of train: all that an update is made of, unless it learns from monolingual sentences."""
