"""Kinds of hard alignment, found by their file names: the values of ``model.alignment``.

Each module has its class as ``ALIGNMENT``.
"""

from __future__ import annotations

from seq2seq_core.config.model import AlignmentKind
from seq2seq_core.modeling.layers.alignment import Alignment
from seq2seq_core.named_modules import load


def load_alignment(kind: AlignmentKind) -> type[Alignment] | None:
    """The class of a kind of alignment; None for ``soft``, whose decoder has attention. Only the module that is named is imported.

    Args:
        kind: of ``model.alignment``.
    """
    if kind == "soft":
        return None
    alignment: type[Alignment] = load(__name__, kind).ALIGNMENT
    return alignment
