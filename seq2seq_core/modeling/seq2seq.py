"""The encoder-decoder: embeddings, encoder, decoder and output projection put together.

Shapes: B batch, S source length, F features of a frame, T target length, D width, V target vocabulary, N rows being decoded,
K hypotheses of a sentence.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from seq2seq_core.batching.batch import Source
from seq2seq_core.modeling.decoders.alignment_decoder import AlignmentDecoder
from seq2seq_core.modeling.decoders.output import OutputProjection
from seq2seq_core.modeling.decoders.pointer_generator import PointerGenerator
from seq2seq_core.modeling.decoders.transformer_decoder import TransformerDecoder
from seq2seq_core.modeling.encoders.time_scaling import GatedScaling, SinusoidalScaling
from seq2seq_core.modeling.encoders.transformer_encoder import TransformerEncoder
from seq2seq_core.modeling.front_ends.frame_embedding import FrameEmbedding
from seq2seq_core.modeling.layers.embedding import FrameProjection, TokenEmbedding
from seq2seq_core.modeling.layers.packed_weights import pack
from seq2seq_core.modeling.layers.packing import Packing
from seq2seq_core.modeling.layers.tag_positions import TagPositions
from seq2seq_core.modeling.memory import Decoder, DecoderOutput, DecoderState, Encoder, Memory, StepOutput, TeacherForced


class Seq2Seq(nn.Module):
    """A sequence-to-sequence model; a sentence gets the same output alone or in any batch.

    Args:
        source_embedding: of ids or frames, of which it may make fewer; None shares the target's embedding.
        target_embedding: of target ids.
        encoder: a module that follows :class:`~seq2seq_core.modeling.memory.Encoder`.
        decoder: a module that follows :class:`~seq2seq_core.modeling.memory.Decoder`, or one with hard alignment.
        output: the output projection.
        time_scaling: scales the encoded source by time step; None: no scaling.
        pointer_generator: mixes the output with a copy of the source; None: nothing is copied.
        tag_positions: adds positions to a source with tags; None: the encoder does.
        ctc: symbols of each step of the encoder, for training alone; None: there are none.

    Attributes:
        packs: whether training leaves padding out of the layers (:mod:`~seq2seq_core.modeling.layers.packing`).
        silent_ids: ids of targets that no source shows, such as tags; read where a search weighs :attr:`ctc`.
    """

    def __init__(
        self,
        source_embedding: TokenEmbedding | FrameProjection | FrameEmbedding | None,
        target_embedding: TokenEmbedding,
        encoder: Encoder,
        decoder: Decoder | AlignmentDecoder,
        output: OutputProjection,
        time_scaling: SinusoidalScaling | GatedScaling | None = None,
        pointer_generator: PointerGenerator | None = None,
        tag_positions: TagPositions | None = None,
        ctc: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.encoder = encoder
        self.decoder = decoder
        self.output = output
        self.time_scaling = time_scaling
        self.pointer_generator = pointer_generator
        self.tag_positions = tag_positions
        self.ctc = ctc
        self.packs = False
        self.silent_ids: tuple[int, ...] = ()

    @property
    def is_packable(self) -> bool:
        """Whether :attr:`packs` may be set: both sides are Transformers, time is not reduced and no attention is kept."""
        sides = (self.encoder, self.decoder)
        if isinstance(self.source_embedding, FrameEmbedding):
            return False
        return all(isinstance(side, TransformerEncoder | TransformerDecoder) and side.is_packable for side in sides)

    @property
    def is_projection(self) -> bool:
        """Whether the logits are the output projection of :meth:`features`, not a mixture or a sum over alignments."""
        return self.pointer_generator is None and not isinstance(self.decoder, AlignmentDecoder)

    @property
    def output_size(self) -> int:
        """V: numbers that each step gives."""
        return int(self.target_embedding.table.weight.size(0))

    def encode(self, source: Source) -> Memory:
        """The encoded sources.

        Args:
            source: ids_BS or frames_BSF with their lengths, on the model's device.
        """
        return self._complete(self.encoder(*self._embed(source)), source)

    def _embed(self, source: Source) -> tuple[Tensor, Tensor]:
        """The embedded sources, embedded_BSD, and their padding_mask_BS."""
        embedding = self.target_embedding if self.source_embedding is None else self.source_embedding
        if isinstance(embedding, FrameEmbedding):
            embedded: tuple[Tensor, Tensor] = embedding(source.values, source.padding_mask_BS)
            return embedded
        embedded_BSD: Tensor = embedding(source.values)
        if self.tag_positions is not None:
            embedded_BSD = self.tag_positions(embedded_BSD, source.values)
        return embedded_BSD, source.padding_mask_BS

    def _complete(self, memory: Memory, source: Source) -> Memory:
        """The memory of the encoder, scaled over time, and with the source ids if the model may copy."""
        if self.time_scaling is not None:
            memory = replace(memory, values_BSD=self.time_scaling(memory.values_BSD))
        return memory if self.is_projection else replace(memory, ids_BS=source.values)

    def forward(self, source: Source, target_in_BT: Tensor) -> Tensor:
        """The logits of every target position under teacher forcing.

        Args:
            source: see :meth:`encode`.
            target_in_BT: int64, the start symbol and then the targets.

        Returns:
            logits_BTV; position t predicts the symbol that follows target_in_BT[:, t].
        """
        return self.teacher_forced(source, target_in_BT).logits_BTV

    def teacher_forced(self, source: Source, target_in_BT: Tensor) -> TeacherForced:
        """The same as :meth:`forward`, with the attention.

        Args:
            source: see :meth:`encode`.
            target_in_BT: int64, the start symbol and then the targets.
        """
        embedded_BTD, memory = self.target_embedding(target_in_BT), self.encode(source)
        if isinstance(self.decoder, AlignmentDecoder):
            return replace(self.decoder.marginal(embedded_BTD, target_in_BT, memory, self.output_weights()), memory=memory)
        output = self.decoder(embedded_BTD, memory)
        logits_BTV = self._project(output.features_BTD, embedded_BTD, output.attention_BTS, memory)
        return TeacherForced(logits_BTV, output.attention_BTS, memory)

    def ctc_logits(self, memory: Memory) -> Tensor:
        """The logits_BSV of each step's symbol by the encoder alone.

        Args:
            memory: the encoded sources.
        """
        assert self.ctc is not None, "the settings see to it"
        logits_BSV: Tensor = self.ctc(memory.values_BSD)
        return logits_BSV

    def features(self, source: Source, target_in_BT: Tensor, target_packing: Packing) -> Tensor:
        """The decoder's features_BTD, which :attr:`output` projects to the logits of :meth:`forward`.

        Args:
            source: see :meth:`encode`.
            target_in_BT: int64, the start symbol and then the targets.
            target_packing: their valid positions.
        """
        assert not isinstance(self.decoder, AlignmentDecoder), "is_projection says so"
        assert self.pointer_generator is None, "is_projection says so"
        if self.packs and self.training and source.num_valid is not None:
            packings = (target_packing, Packing.of(source.padding_mask_BS, source.num_valid))
            return self._packed_features(source, target_in_BT, packings)
        embedded_BTD, memory = self.target_embedding(target_in_BT), self.encode(source)
        return self.decoder(embedded_BTD, memory).features_BTD

    def _packed_features(self, source: Source, target_in_BT: Tensor, packings: tuple[Packing, Packing]) -> Tensor:
        """The same, computed without padding, where the features are 0."""
        encoder, decoder = self.encoder, self.decoder
        assert isinstance(encoder, TransformerEncoder)
        assert isinstance(decoder, TransformerDecoder)
        memory = self._complete(encoder(*self._embed(source), packings[1]), source)
        output: DecoderOutput = decoder(self.target_embedding(target_in_BT), memory, packings)
        return output.features_BTD

    def output_weights(self) -> tuple[Tensor, Tensor]:
        """Weight_VD and bias_V of the output projection."""
        return self.output.weights(self.target_embedding.table.weight)

    def pack_weights(self, is_quantized: bool = False) -> None:
        """Makes steps faster on a CPU, at the cost of memory, for a model whose weights will not change.

        Args:
            is_quantized: whether the large matrices are packed at 8 bits.
        """
        parts = ("decoder.", "encoder.") if isinstance(self.encoder, TransformerEncoder) else ("decoder.",)
        weights = [weight for name, weight in self.named_parameters() if name.startswith(parts)]
        for weight in (*weights, self.output_weights()[0]):
            pack(weight, is_quantized)

    def initial_state(self, memory: Memory, keep_attention: bool = True) -> DecoderState:
        """The state before the first symbol, with one hypothesis for each sentence; its ``select`` makes more of them.

        Args:
            memory: from :meth:`encode`.
            keep_attention: whether steps give their attention; a Transformer is faster without.
        """
        return self.decoder.initial_state(memory, keep_attention or self.pointer_generator is not None)

    def step(self, previous_ids_N: Tensor, state: DecoderState) -> StepOutput:
        """One more symbol for every row.

        Args:
            previous_ids_N: int64, the symbol chosen last; the start symbol at first.
            state: from :meth:`initial_state` or the previous step; it serves one step.
        """
        embedded_ND = self.target_embedding(previous_ids_N)
        if isinstance(self.decoder, AlignmentDecoder):
            return self.decoder.step(embedded_ND, previous_ids_N, state, self.output_weights())
        step = self.decoder.step(embedded_ND, state)
        # The hypotheses of a sentence stand where target positions stand in teacher forcing.
        num_sentences, width = len(state.memory.padding_mask_BS), embedded_ND.shape[1]
        attention_BKS = None if step.attention_NS is None else step.attention_NS.view(num_sentences, -1, step.attention_NS.shape[1])
        features_BKD, embedded_BKD = (each.view(num_sentences, -1, width) for each in (step.features_ND, embedded_ND))
        logits_BKV = self._project(features_BKD, embedded_BKD, attention_BKS, state.memory)
        return StepOutput(logits_BKV.flatten(0, 1), step.state, step.attention_NS)

    def _project(self, features_BTD: Tensor, embedded_BTD: Tensor, attention_BTS: Tensor | None, memory: Memory) -> Tensor:
        """The logits_BTV of the output projection, mixed with the copy if the model copies."""
        logits_BTV: Tensor = self.output(features_BTD, self.target_embedding.table.weight)
        if self.pointer_generator is None:
            return logits_BTV
        assert attention_BTS is not None, "the settings see to it"
        assert memory.ids_BS is not None, "encode puts them there"
        mixed_BTV: Tensor = self.pointer_generator(logits_BTV, features_BTD, embedded_BTD, attention_BTS, memory.ids_BS)
        return mixed_BTV
