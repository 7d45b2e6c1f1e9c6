"""The encoder-decoder: embeddings, encoder, decoder and output projection put together from the settings.

Shapes: B batch, S source length, F features of a frame, T target length, D width, V target vocabulary, N rows being decoded.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.attention import ATTENTIONS
from seq2seq_core.modeling.embedding import FrameProjection, TokenEmbedding
from seq2seq_core.modeling.memory import Decoder, DecoderState, Encoder, Memory
from seq2seq_core.modeling.output import OutputProjection
from seq2seq_core.modeling.recurrent_decoder import RecurrentDecoder
from seq2seq_core.modeling.recurrent_encoder import RecurrentEncoder
from seq2seq_core.modeling.transformer_decoder import TransformerDecoder
from seq2seq_core.modeling.transformer_encoder import TransformerEncoder


@dataclass(frozen=True)
class StepOutput:
    """One step of decoding.

    Attributes:
        logits_NV: unnormalised log-probabilities of the next symbol.
        state: for the next step.
        attention_NS: weights over the source, each row summing to 1.
    """

    logits_NV: Tensor
    state: DecoderState
    attention_NS: Tensor


class Seq2Seq(nn.Module):
    """A sequence-to-sequence model; a sentence gets the same output alone or in any batch.

    Args:
        source_embedding: of ids or frames; None shares the target's embedding.
        target_embedding: of target ids.
        encoder: a module that follows :class:`~seq2seq_core.modeling.memory.Encoder`.
        decoder: a module that follows :class:`~seq2seq_core.modeling.memory.Decoder`.
        output: the output projection.
    """

    def __init__(
        self,
        source_embedding: TokenEmbedding | FrameProjection | None,
        target_embedding: TokenEmbedding,
        encoder: Encoder,
        decoder: Decoder,
        output: OutputProjection,
    ) -> None:
        super().__init__()
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.encoder = encoder
        self.decoder = decoder
        self.output = output

    def encode(self, source: Source) -> Memory:
        """The encoded sources.

        Args:
            source: ids_BS or frames_BSF with their lengths, on the model's device.
        """
        embedding = self.target_embedding if self.source_embedding is None else self.source_embedding
        return self.encoder(embedding(source.values), source.padding_mask_BS)

    def forward(self, source: Source, target_in_BT: Tensor) -> Tensor:
        """The logits of every target position under teacher forcing.

        Args:
            source: see :meth:`encode`.
            target_in_BT: int64, the targets behind the start symbol.

        Returns:
            logits_BTV; position t predicts the symbol that follows target_in_BT[:, t].
        """
        output = self.decoder(self.target_embedding(target_in_BT), self.encode(source))
        return self._project(output.features_BTD)

    def initial_state(self, memory: Memory, num_hypotheses: int = 1) -> DecoderState:
        """The state before the first symbol.

        Args:
            memory: from :meth:`encode`.
            num_hypotheses: rows for each sentence; the rows of one sentence are adjacent (N = B * num_hypotheses).
        """
        return self.decoder.initial_state(memory.repeat(num_hypotheses))

    def step(self, previous_ids_N: Tensor, state: DecoderState) -> StepOutput:
        """One more symbol for every row.

        Args:
            previous_ids_N: int64, the symbol chosen last; the start symbol at first.
            state: from :meth:`initial_state` or the previous step.
        """
        step = self.decoder.step(self.target_embedding(previous_ids_N), state)
        return StepOutput(self._project(step.features_ND), step.state, step.attention_NS)

    def _project(self, features_BTD: Tensor) -> Tensor:
        """The output projection, with the target embedding's weights at hand."""
        logits_BTV: Tensor = self.output(features_BTD, self.target_embedding.table.weight)
        return logits_BTV


def build_model(
    settings: ModelSection, source_vocabulary_size: int, target_vocabulary_size: int, joint: bool, frame_width: int = 0
) -> Seq2Seq:
    """A model with fresh weights, drawn from PyTorch's global random stream.

    Args:
        settings: the architecture.
        source_vocabulary_size: number of source ids; unused for a source of frames.
        target_vocabulary_size: V.
        joint: whether source and target ids mean the same.
        frame_width: F of a source of feature frames; 0 for a source of ids.

    Raises:
        ValueError: ``tie_embeddings: all`` without a joint vocabulary, or with frames.
    """
    width, dropout = settings.width, settings.dropout
    if settings.tie_embeddings == "all" and (not joint or frame_width):
        raise ValueError("model.tie_embeddings: must be 'none' or 'target' unless both sides share one vocabulary, got 'all'")
    source_embedding: TokenEmbedding | FrameProjection | None = None
    if frame_width:
        source_embedding = FrameProjection(frame_width, width, dropout)
    elif settings.tie_embeddings != "all":
        source_embedding = TokenEmbedding(source_vocabulary_size, width, dropout)
    target_embedding = TokenEmbedding(target_vocabulary_size, width, dropout)
    output = OutputProjection(width, target_vocabulary_size, is_tied=settings.tie_embeddings != "none")
    return Seq2Seq(source_embedding, target_embedding, _build_encoder(settings), _build_decoder(settings), output)


def _build_encoder(settings: ModelSection) -> RecurrentEncoder | TransformerEncoder:
    """The encoder that the settings name."""
    width, layers, dropout = settings.width, settings.encoder_layers, settings.dropout
    if settings.architecture == "transformer":
        return TransformerEncoder(width, layers, settings.heads, settings.feedforward_width, dropout)
    return RecurrentEncoder(settings.architecture, width, layers, dropout)


def _build_decoder(settings: ModelSection) -> RecurrentDecoder | TransformerDecoder:
    """The decoder that the settings name."""
    width, layers, dropout = settings.width, settings.decoder_layers, settings.dropout
    if settings.architecture == "transformer":
        return TransformerDecoder(width, layers, settings.heads, settings.feedforward_width, dropout)
    attention = ATTENTIONS[settings.attention](width)
    return RecurrentDecoder(settings.architecture, width, layers, attention, settings.input_feeding, dropout)
