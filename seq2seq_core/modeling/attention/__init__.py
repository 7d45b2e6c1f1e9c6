"""Kinds of attention of a recurrent decoder, found by their file names: the values of ``model.attention``.

Each module has its class as ``ATTENTION``.
"""

from __future__ import annotations

from seq2seq_core.config.model import AttentionKind
from seq2seq_core.modeling.layers.attention import Attention
from seq2seq_core.named_modules import load


def load_attention(kind: AttentionKind) -> type[Attention] | None:
    """The class of a kind of attention; None for a decoder without one. Only the module that is named is imported.

    Args:
        kind: of ``model.attention``.
    """
    if kind == "none":
        return None
    attention: type[Attention] = load(__name__, kind).ATTENTION
    return attention
