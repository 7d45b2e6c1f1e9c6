"""Attention by the dot product."""

from __future__ import annotations

from seq2seq_core.modeling.layers.attention import Attention


class DotAttention(Attention):
    """score(q, m) = q . m  (Luong 2015, equation 8)."""


ATTENTION = DotAttention
