"""The model of speech: the encoder-decoder whose targets are frames, several of which each step writes.

Shapes: B batch, S source length, T frames of a target, R steps of the decoder, P frames of a step, M mel bands, D width,
N rows being decoded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.batching.batch import Source, padding_mask
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.speech.speech_settings import FrameDecoder
from seq2seq_core.modeling.decoders.alignment_decoder import AlignmentDecoder
from seq2seq_core.modeling.encoders.time_scaling import build_time_scaling
from seq2seq_core.modeling.layers.embedding import TokenEmbedding
from seq2seq_core.modeling.layers.frame_layers import PostNet, PreNet
from seq2seq_core.modeling.memory import DecoderState
from seq2seq_core.modeling.model_building import build_decoder, build_encoder, build_tag_positions
from seq2seq_core.modeling.seq2seq import Seq2Seq


@dataclass(frozen=True)
class WrittenFrames:
    """The output of a model of speech for whole targets.

    Attributes:
        before_BTM: the decoder's frames.
        after_BTM: the same with the post-net's output added.
        stop_BR: logits of the end after each step.
        attention_BRS: weights over the source, each row summing to 1.
    """

    before_BTM: Tensor
    after_BTM: Tensor
    stop_BR: Tensor
    attention_BRS: Tensor


@dataclass(frozen=True)
class FrameStep:
    """One step of decoding.

    Attributes:
        frames_NPM: the frames that it wrote.
        stop_N: logits of the end after it.
        state: for the next step.
        attention_NS: weights over the source, each row summing to 1.
    """

    frames_NPM: Tensor
    stop_N: Tensor
    state: DecoderState
    attention_NS: Tensor


class SpeechModel(Seq2Seq):
    """An encoder-decoder that reads ids and writes frames.

    It has no ids of a target. Of its base class, the training and the bundle call only what is about sources.

    Args:
        settings: the architecture.
        frames: the decoder's input and output.
        source_vocabulary_size: number of source ids.
        num_mels: M.
        num_source_tags: ids of tags in the source's vocabulary; read only without ``tag_positions``.
    """

    def __init__(
        self, settings: ModelSection, frames: FrameDecoder, source_vocabulary_size: int, num_mels: int, num_source_tags: int = 0
    ) -> None:
        nn.Module.__init__(self)
        width, dropout = settings.width, settings.dropout
        self.frames, self.num_mels = frames, num_mels
        self.source_embedding = TokenEmbedding(source_vocabulary_size, width, dropout)
        self.encoder, self.decoder = build_encoder(settings), build_decoder(settings, keep_attention=True)
        self.time_scaling = build_time_scaling(settings.time_scaling, width)
        self.tag_positions = build_tag_positions(settings, num_source_tags)
        self.pre_net = PreNet(
            num_mels, frames.pre_net_width, width, frames.pre_net_dropout, frames.drops_in_decoding, frames.frame_dropout
        )
        self.frame_output = nn.Linear(width, frames.frames_per_step * num_mels)
        self.stop_output = nn.Linear(width, 1)
        self.post_net = (
            PostNet(num_mels, frames.post_net_layers, frames.post_net_width, frames.post_net_kernel, dropout)
            if frames.post_net_layers
            else None
        )
        self.pointer_generator, self.ctc, self.packs, self.silent_ids = None, None, False, ()

    @property
    def output_size(self) -> int:
        """Numbers that each step writes."""
        return self.frames.frames_per_step * self.num_mels

    @property
    def is_packable(self) -> bool:
        """See :class:`~seq2seq_core.modeling.seq2seq.Seq2Seq`; attention is always kept."""
        return False

    def num_steps(self, lengths_B: Tensor) -> Tensor:
        """Steps that write targets of some lengths in frames; int64."""
        return torch.div(lengths_B + self.frames.frames_per_step - 1, self.frames.frames_per_step, rounding_mode="floor")

    def write(self, source: Source, frames_BTM: Tensor, lengths_B: Tensor) -> WrittenFrames:
        """The frames of whole targets under teacher forcing: each step sees the last frame before it.

        Args:
            source: the sources.
            frames_BTM: the targets, or what each step shall see in their place, padded at the end.
            lengths_B: frames of each target; int64.
        """
        memory, length, size = self.encode(source), frames_BTM.shape[1], self.frames.frames_per_step
        last_BRM = frames_BTM[:, size - 1 :: size][:, : (length - 1) // size]
        inputs_BRM = functional.pad(last_BRM, (0, 0, 1, 0))  # a step for the first frames, which sees a frame of zeros
        output = self.decoder(self.pre_net(inputs_BRM), memory)
        assert output.attention_BTS is not None, "the settings see to it"
        before_BTM = self.frame_output(output.features_BTD).view(len(frames_BTM), -1, self.num_mels)[:, :length]
        after_BTM = self.refine(before_BTM, padding_mask(lengths_B, length))
        return WrittenFrames(before_BTM, after_BTM, self.stop_output(output.features_BTD).squeeze(-1), output.attention_BTS)

    def speak(self, source: Source, lengths_B: Tensor) -> WrittenFrames:
        """Frames of given lengths, each step of which sees the last frame that the model itself wrote, with a gradient.

        Args:
            source: the sources.
            lengths_B: frames to write for each; int64.
        """
        state = self.initial_state(self.encode(source))
        last_BM = lengths_B.new_zeros((source.num_rows, self.num_mels), dtype=self.frame_output.weight.dtype)
        steps = list[FrameStep]()
        for number in range(int(self.num_steps(lengths_B).max())):
            steps.append(self.write_step(last_BM, state, number))
            state, last_BM = steps[-1].state, steps[-1].frames_NPM[:, -1]
        length = int(lengths_B.max())
        before_BTM = torch.cat([step.frames_NPM for step in steps], dim=1)[:, :length]
        after_BTM = self.refine(before_BTM, padding_mask(lengths_B, length))
        stop_BR = torch.stack([step.stop_N for step in steps], dim=1)
        return WrittenFrames(before_BTM, after_BTM, stop_BR, torch.stack([step.attention_NS for step in steps], dim=1))

    def refine(self, frames_BTM: Tensor, padding_mask_BT: Tensor) -> Tensor:
        """Written frames with the post-net's output added, of the same shape.

        Args:
            frames_BTM: the decoder's frames.
            padding_mask_BT: bool, True at padding.
        """
        if self.post_net is None:
            return frames_BTM
        refined_BTM: Tensor = frames_BTM + self.post_net(frames_BTM, padding_mask_BT)
        return refined_BTM

    def write_step(self, last_frames_NM: Tensor, state: DecoderState, number: int) -> FrameStep:
        """The frames of one more step.

        Args:
            last_frames_NM: the last frame of each row; zeros at first.
            state: from ``initial_state`` or the previous step; it serves one step.
            number: of the step, from 0.
        """
        assert not isinstance(self.decoder, AlignmentDecoder), "the settings see to it"
        step = self.decoder.step(self.pre_net(last_frames_NM, number), state)
        assert step.attention_NS is not None, "the settings see to it"
        frames_NPM = self.frame_output(step.features_ND).view(len(last_frames_NM), -1, self.num_mels)
        return FrameStep(frames_NPM, self.stop_output(step.features_ND).squeeze(-1), step.state, step.attention_NS)


def build_speech_model(settings: ModelSection, source_vocabulary_size: int, num_mels: int, num_source_tags: int = 0) -> SpeechModel:
    """A model with fresh weights, drawn from PyTorch's global random stream.

    Args:
        settings: the architecture, with ``frames``.
        source_vocabulary_size: number of source ids.
        num_mels: M.
        num_source_tags: ids of tags in the source's vocabulary; read only without ``tag_positions``.

    Raises:
        ValueError: the settings have no ``frames``, or a decoder without soft attention.
    """
    if settings.frames is None:
        raise ValueError("model.frames: must be given where the targets are frames, got nothing")
    if settings.decoder_architecture != "transformer" and settings.attention == "none":
        raise ValueError("model.attention: must be one where the targets are frames, got 'none'")
    if settings.alignment != "soft":
        raise ValueError(f"model.alignment: must be 'soft' where the targets are frames, got {settings.alignment!r}")
    return SpeechModel(settings, settings.frames, source_vocabulary_size, num_mels, num_source_tags)
