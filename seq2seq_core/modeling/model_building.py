"""The encoder-decoder that the settings describe, and its parts, with fresh weights.

V is the size of the target's vocabulary, F the number of features of a frame.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from torch import nn

from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.alignments import load_alignment
from seq2seq_core.modeling.attention import load_attention
from seq2seq_core.modeling.decoders.alignment_decoder import AlignmentDecoder
from seq2seq_core.modeling.decoders.output import OutputProjection
from seq2seq_core.modeling.decoders.pointer_generator import PointerGenerator
from seq2seq_core.modeling.decoders.recurrent_decoder import RecurrentDecoder
from seq2seq_core.modeling.decoders.transformer_decoder import TransformerDecoder
from seq2seq_core.modeling.encoders.recurrent_encoder import RecurrentEncoder
from seq2seq_core.modeling.encoders.time_scaling import build_time_scaling
from seq2seq_core.modeling.encoders.transformer_encoder import TransformerEncoder
from seq2seq_core.modeling.front_ends.frame_embedding import FrameEmbedding
from seq2seq_core.modeling.front_ends.frame_layout import FrameLayout
from seq2seq_core.modeling.layers.embedding import FrameProjection, TokenEmbedding
from seq2seq_core.modeling.layers.tag_positions import TagPositions
from seq2seq_core.modeling.layers.transformer_shape import TransformerShape
from seq2seq_core.modeling.seq2seq import Seq2Seq


def build_model(
    settings: ModelSection,
    source_vocabulary_size: int,
    target_vocabulary_size: int,
    joint: bool,
    frame_width: int = 0,
    num_source_tags: int = 0,
    frame_layout: FrameLayout | None = None,
) -> Seq2Seq:
    """A model with fresh weights, drawn from PyTorch's global random stream.

    Args:
        settings: the architecture.
        source_vocabulary_size: number of source ids; unused for a source of frames.
        target_vocabulary_size: V.
        joint: whether source and target share one vocabulary.
        frame_width: F of a source of feature frames; 0 for a source of ids.
        num_source_tags: ids of tags in the source's vocabulary; read only without ``tag_positions``.
        frame_layout: what the values of a frame are; None: a column each.

    Raises:
        ValueError: ``tie_embeddings: all`` or ``pointer_generator`` without a joint vocabulary, or with frames.
    """
    width, dropout = settings.width, settings.dropout
    if not joint or frame_width:
        if settings.tie_embeddings == "all":
            raise ValueError("model.tie_embeddings: must be 'none' or 'target' unless both sides share one vocabulary, got 'all'")
        if settings.pointer_generator:
            raise ValueError("model.pointer_generator: must be false unless both sides share one vocabulary, got true")
    source_embedding: TokenEmbedding | FrameProjection | FrameEmbedding | None = None
    if frame_width and (settings.front_end is not None or settings.grid_positions != "none"):
        source_embedding = FrameEmbedding(settings, frame_layout or FrameLayout(frame_width))
    elif frame_width:
        source_embedding = FrameProjection(frame_width, width, dropout)
    elif settings.tie_embeddings != "all":
        source_embedding = TokenEmbedding(source_vocabulary_size, width, dropout)
    return Seq2Seq(
        source_embedding,
        TokenEmbedding(target_vocabulary_size, width, dropout),
        build_encoder(settings),
        build_decoder(settings),
        OutputProjection(width, target_vocabulary_size, is_tied=settings.tie_embeddings != "none"),
        build_time_scaling(settings.time_scaling, width),
        PointerGenerator(width) if settings.pointer_generator else None,
        build_tag_positions(settings, num_source_tags),
        nn.Linear(width, target_vocabulary_size) if settings.ctc else None,
    )


def build_tag_positions(settings: ModelSection, num_source_tags: int) -> TagPositions | None:
    """The positions of a source with tags; None: the encoder adds them.

    Args:
        settings: the architecture.
        num_source_tags: ids of tags in the source's vocabulary.
    """
    if settings.tag_positions:
        return None
    return TagPositions(settings.positions, settings.width, settings.max_positions, num_source_tags)


def build_encoder(settings: ModelSection) -> RecurrentEncoder | TransformerEncoder:
    """The encoder that the settings name, with fresh weights."""
    layers, reduction = settings.encoder_layers, settings.time_reduction
    match settings.encoder_architecture:
        case "transformer":
            shape = replace(_shape(settings), adds_positions=settings.tag_positions)
            return TransformerEncoder(shape, layers, reduction)
        case "rnn" | "gru" | "lstm" as cell:
            bidirectional, residual = settings.bidirectional, settings.residual
            return RecurrentEncoder(cell, settings.width, layers, settings.dropout, bidirectional, residual, reduction)
        case unknown:
            assert_never(unknown)


def build_decoder(settings: ModelSection, keep_attention: bool = False) -> RecurrentDecoder | TransformerDecoder | AlignmentDecoder:
    """The decoder that the settings name, with fresh weights.

    Args:
        settings: the architecture.
        keep_attention: whether a Transformer gives its attention under teacher forcing too.
    """
    layers = settings.decoder_layers
    match settings.decoder_architecture:
        case "transformer":
            return TransformerDecoder(_shape(settings), layers, keep_attention=keep_attention or settings.pointer_generator)
        case "rnn" | "gru" | "lstm" as cell:
            alignment = load_alignment(settings.alignment)
            kind = load_attention(settings.attention) if alignment is None else None
            recurrent = RecurrentDecoder(
                cell, settings.width, layers, kind.of(settings) if kind else None,
                settings.input_feeding, settings.dropout, settings.bridge, settings.residual,
            )  # fmt: skip
            return recurrent if alignment is None else AlignmentDecoder(recurrent, alignment.of(settings))
        case unknown:
            assert_never(unknown)


def _shape(settings: ModelSection) -> TransformerShape:
    """The shape of a Transformer's layers."""
    return TransformerShape(
        settings.width, settings.heads, settings.feedforward_width, settings.dropout,
        settings.norm == "pre", settings.positions, settings.max_positions, settings.relative_distance, settings.share_layers,
    )  # fmt: skip
