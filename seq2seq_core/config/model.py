"""``model``: the encoder-decoder's architecture."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section
from seq2seq_core.config.speech.speech_settings import FrameDecoder

Architecture = Literal["rnn", "gru", "lstm", "transformer"]
"""A recurrent network of Elman (1990), GRU (Cho 2014) or LSTM (Hochreiter and Schmidhuber 1997) cells, or a Transformer."""


AttentionKind = Literal["none", "dot", "general", "additive", "multi_head", "location"]
"""None, or a module of ``modeling/attention``."""
AlignmentKind = Literal["soft", "monotonic", "edits"]
"""Soft attention, or a module of ``modeling/alignments``."""
TimeScaling = Literal["none", "sinusoidal", "gate"]
"""Scaling of the encoded source by time step."""
BridgeKind = Literal["last", "mean", "zero"]
"""Initial state of a recurrent decoder."""
PositionKind = Literal["sinusoidal", "learned", "rotary", "relative", "relative_sinusoidal"]
"""Position encoding of a Transformer."""
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


class ModelSection(Section):
    """Architecture and sizes."""

    architecture: Architecture = "gru"
    """Architecture of encoder and decoder: a recurrent cell (``rnn`` is Elman's) or a Transformer (Vaswani 2017)."""
    encoder: Architecture | None = None
    """Architecture of the encoder alone, if it differs from the decoder's (such as a Transformer before an LSTM decoder)."""
    decoder: Architecture | None = None
    """Architecture of the decoder alone."""
    width: int = Field(default=256, ge=4, le=65_536)
    """Width of embeddings and of hidden states (for a bidirectional encoder, of both directions together)."""
    encoder_layers: int = Field(default=1, ge=1, le=64)
    """Number of encoder layers."""
    decoder_layers: int = Field(default=1, ge=1, le=64)
    """Number of decoder layers."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Probability of dropping an activation in training."""
    tie_embeddings: Literal["none", "target", "all"] = "target"
    """``target`` shares the target embedding with the output projection (Press and Wolf 2017); ``all`` shares the source's too and
    needs ``tokenize.joint``."""

    bidirectional: bool = True
    """Whether a recurrent encoder reads each source in both directions (Schuster and Paliwal 1997)."""
    residual: bool = False
    """Whether recurrent layers, from the second on, add their input to their output (Wu 2016, section 3.1)."""
    time_scaling: TimeScaling = "none"
    """Scaling of the encoded source by time step, so that the decoder can tell the steps apart: each vector times 1 plus the
    sinusoids of its position, or times a learned gate of position and content."""
    time_reduction: int = Field(default=0, ge=0, le=16)
    """Halvings of the source's time axis, one before each of the last encoder layers, for long sources (Chan 2016, section 3.1);
    at most ``encoder_layers``."""

    front_end: ConvFrontEnd | None = None
    """Convolutions before the encoder, for sources that are recordings or pictures; left out: each frame is projected by itself."""
    grid_positions: GridPositionKind = "none"
    """Positions of the patches of a picture's grid, added before the encoder: sinusoids of the row in one half of the width and of
    the column in the other (He 2022), or a learned table (Dosovitskiy 2021)."""

    ctc: bool = False
    """Whether the encoder has symbols of its own for each step, which ``train.ctc_weight`` trains and
    ``evaluate.ctc_weight`` reads."""

    bridge: BridgeKind = "last"
    """Initial state of a recurrent decoder: the projected last states of a recurrent encoder (of a Transformer the mean), the
    projected mean of the encoded source, or zeros."""
    attention: AttentionKind = "additive"
    """Attention of a recurrent decoder: none (Sutskever 2014), dot or general (Luong 2015), additive (Bahdanau 2015), multi-head
    (Vaswani 2017), or ``location``, additive with the places attended to before (Chorowski 2015), for speech. A Transformer always
    has multi-head attention."""
    input_feeding: bool = False
    """Whether a recurrent decoder's input includes the previous attentional state (Luong 2015, section 3.3)."""
    coverage: bool = False
    """Whether additive attention sees what it has attended to before (See 2017, section 2.3); ``train.coverage_weight`` penalises
    repetition."""
    pointer_generator: bool = False
    """Whether the output is mixed with a copy of the source's tokens by their attention (See 2017, section 2.2); needs
    ``tokenize.joint``."""

    alignment: AlignmentKind = "soft"
    """How a recurrent decoder finds its place in the source: by ``attention``, or by a hard alignment in place of it, over which
    the likelihood is summed exactly: ``monotonic`` attention (Wu and Cotterell 2019), or ``edits``, a transducer that deletes,
    replaces, copies and inserts symbols (Makarov and Clematide 2020)."""
    alignment_order: Literal[0, 1] = 0
    """Order of ``monotonic`` alignment: 1 adds scores of the shift from the last position."""
    alignment_copies: bool = False
    """Whether ``edits`` may copy the source's symbol; needs ``tokenize.joint``."""
    frames: FrameDecoder | None = None
    """The decoder's input and output where targets are recordings; given where ``corpus.target_kind`` is ``audio``."""

    heads: int = Field(default=4, ge=1, le=1024)
    """Heads of multi-head attention; divides the width."""
    feedforward_width: int = Field(default=1024, ge=4, le=262_144)
    """Inner width of a Transformer's feed-forward layers."""
    norm: Literal["pre", "post"] = "pre"
    """Whether a Transformer normalises before each sublayer (Xiong 2020) or after it (Vaswani 2017)."""
    positions: PositionKind = "sinusoidal"
    """Position encoding of a Transformer: sinusoids (Vaswani 2017), a learned table (Gehring 2017), rotated queries and keys (Su
    2021), or distances: learned vectors (Shaw 2018), or projected sinusoids (Dai 2019)."""
    relative_distance: int = Field(default=16, ge=1, le=4096)
    """The largest distance that ``relative`` positions tell apart; greater ones count as this one."""
    tag_positions: bool = True
    """Whether tags before the source have positions like other symbols. ``false``: a Transformer encoder gets the vector of a type
    in their place, and counts positions behind them (Wu 2021)."""
    share_layers: bool = False
    """Whether all layers of a Transformer's encoder, and of its decoder, are one layer, run repeatedly (Dehghani 2019, without
    halting)."""
    max_positions: int = Field(default=1024, ge=2, le=1_048_576)
    """Rows of the table of ``learned`` positions: the longest sequence that can be read or written."""

    @property
    def encoder_architecture(self) -> Architecture:
        """The encoder's."""
        return self.encoder or self.architecture

    @property
    def decoder_architecture(self) -> Architecture:
        """The decoder's."""
        return self.decoder or self.architecture

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        kinds = {self.encoder_architecture, self.decoder_architecture}
        if self.width % 2:
            raise ValueError(f"width must be even, got {self.width}")
        if ("transformer" in kinds or self.attention == "multi_head") and self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, got width {self.width} and heads {self.heads}")
        if "transformer" in kinds and self.positions == "rotary" and self.width // self.heads % 2:
            raise ValueError(
                f"width divided by heads must be even with positions 'rotary', got width {self.width} and heads {self.heads}"
            )
        if self.grid_positions == "sinusoidal" and self.width % 4:
            raise ValueError(f"width must be a multiple of 4 with grid_positions 'sinusoidal', got {self.width}")
        if self.time_reduction > self.encoder_layers:
            raise ValueError(
                f"time_reduction must be at most encoder_layers, got {self.time_reduction} with {self.encoder_layers} layers"
            )
        return self

    @model_validator(mode="after")
    def _alignment_fits(self) -> Self:
        if self.alignment == "soft":
            if self.alignment_order or self.alignment_copies:
                name = "alignment_order" if self.alignment_order else "alignment_copies"
                raise ValueError(f"{name} must be left out with alignment 'soft', got {getattr(self, name)}")
            return self
        if self.decoder_architecture == "transformer":
            raise ValueError(f"alignment must be 'soft' with a Transformer decoder, got {self.alignment!r}")
        for name in ("input_feeding", "coverage", "pointer_generator"):
            if getattr(self, name):
                raise ValueError(f"{name} must be false with alignment {self.alignment!r}, which has no attention, got true")
        if self.alignment_order and self.alignment != "monotonic":
            raise ValueError(f"alignment_order must be 0 with alignment {self.alignment!r}, got {self.alignment_order}")
        if self.alignment_copies and self.alignment != "edits":
            raise ValueError(f"alignment_copies must be false with alignment {self.alignment!r}, got true")
        if self.alignment_copies and self.time_reduction:
            raise ValueError(
                f"time_reduction must be 0 with alignment_copies, which copies position by position, got {self.time_reduction}"
            )
        return self

    @model_validator(mode="after")
    def _parts_of_transformers_agree(self) -> Self:
        if self.share_layers and "transformer" not in (self.encoder_architecture, self.decoder_architecture):
            raise ValueError("share_layers must be false without a Transformer, got true")
        if not self.tag_positions:
            if self.encoder_architecture != "transformer":
                raise ValueError(
                    f"tag_positions must be true unless the encoder is a Transformer, got {self.encoder_architecture!r}"
                )
            if self.positions not in ("sinusoidal", "learned"):
                raise ValueError(
                    f"tag_positions must be true unless positions are 'sinusoidal' or 'learned', got {self.positions!r}"
                )
        return self

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        is_recurrent = self.decoder_architecture != "transformer"
        is_blind = is_recurrent and self.attention == "none" and self.alignment == "soft"
        if self.coverage and not (is_recurrent and self.attention == "additive"):
            got = f"attention {self.attention!r}" if is_recurrent else "a Transformer decoder"
            raise ValueError(f"coverage must be false unless a recurrent decoder has attention 'additive', got {got}")
        if is_blind:
            if self.input_feeding or self.pointer_generator:
                name = "input_feeding" if self.input_feeding else "pointer_generator"
                raise ValueError(f"{name} must be false with attention 'none', got true")
            if self.bridge == "zero":
                raise ValueError(
                    "bridge must be 'last' or 'mean' with attention 'none': nothing else tells of the source; got 'zero'"
                )
        if self.pointer_generator and self.time_reduction:
            raise ValueError(
                f"time_reduction must be 0 with pointer_generator, which copies position by position, got {self.time_reduction}"
            )
        return self
