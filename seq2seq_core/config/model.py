"""``model``: the encoder-decoder's architecture."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section


class ModelSection(Section):
    """Architecture and sizes."""

    architecture: Literal["gru", "lstm", "transformer"] = "gru"
    """Recurrent cell of a bidirectional encoder and an attentive decoder, or a pre-norm Transformer."""
    attention: Literal["additive", "general", "dot"] = "additive"
    """Attention of a recurrent decoder: additive (Bahdanau 2015), general or dot (Luong 2015). A Transformer's is multi-head."""
    width: int = Field(default=256, ge=4)
    """Width of embeddings and of hidden states (for a bidirectional encoder, of both directions together)."""
    encoder_layers: int = Field(default=1, ge=1, le=64)
    """Number of encoder layers."""
    decoder_layers: int = Field(default=1, ge=1, le=64)
    """Number of decoder layers."""
    heads: int = Field(default=4, ge=1)
    """Attention heads of a Transformer; divides the width."""
    feedforward_width: int = Field(default=1024, ge=4)
    """Inner width of a Transformer's feed-forward layers."""
    input_feeding: bool = False
    """Whether a recurrent decoder's input includes the previous attentional state (Luong 2015, section 3.3)."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Probability of dropping an activation in training."""
    tie_embeddings: Literal["none", "target", "all"] = "target"
    """``target`` shares the target embedding with the output projection (Press and Wolf 2017); ``all`` shares the source's too and
    needs ``tokenize.joint``."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.architecture == "transformer" and self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, got width {self.width} and heads {self.heads}")
        if self.width % 2:
            raise ValueError(f"width must be even, got {self.width}")
        return self
