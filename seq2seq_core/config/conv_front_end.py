"""``model.front_end``: convolutions between frames and the encoder."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section

GridPositionKind = Literal["none", "sinusoidal", "learned"]
"""Positions of the patches of a grid."""
MAX_CHANNELS = 4096


class ConvFrontEnd(Section):
    """Convolutions over the picture that the frames form, before the encoder (Shi 2015, section 2.1).

    Sources become shorter, and features know their surroundings. Of recordings, the picture is the spectrogram.
    """

    channels: list[int] = Field(default=[16, 32, 64], min_length=1, max_length=12)
    """Channels of each block: a 3 × 3 convolution, a norm over the channels of each place (Liu 2022), and ReLU. Each block halves
    the height."""
    halvings: int = Field(default=2, ge=0, le=12)
    """Blocks, from the first one, that halve the width too: columns of pixels (or frames of recordings) become 2 to this power
    times fewer; at most as many as there are blocks. Of a grid of patches, the other blocks keep the height too."""
    refine: bool = False
    """Whether each block has a second convolution, whose result is added to its input (He 2016)."""

    @model_validator(mode="after")
    def _blocks_agree(self) -> Self:
        if any(not 1 <= number <= MAX_CHANNELS for number in self.channels):
            raise ValueError(f"channels must be numbers from 1 to {MAX_CHANNELS}, got {self.channels}")
        if self.halvings > len(self.channels):
            raise ValueError(f"halvings must be at most the number of blocks, {len(self.channels)}, got {self.halvings}")
        return self
