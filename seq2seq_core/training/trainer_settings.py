"""Settings of the trainer, and its speed meter."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.config.train import Phase, TrainSection
from seq2seq_core.modeling.front_ends.frame_embedding import FrameEmbedding
from seq2seq_core.modeling.layers.embedding import FrameProjection
from seq2seq_core.training.hardware.flops import ModelFlops, steps_a_batch
from seq2seq_core.training.hardware.speed import SpeedMeter
from seq2seq_core.training.updates.updater import Updater


@dataclass(frozen=True)
class TrainerSettings:
    """The sections of the settings that a training reads.

    Attributes:
        model: the architecture.
        train: phases, initial weights and seed.
        runtime: settings that change no result.
    """

    model: ModelSection
    train: TrainSection
    runtime: RuntimeSection

    def speed_meter(self, updater: Updater, phase: Phase) -> SpeedMeter:
        """The speed meter of a phase."""
        model = updater.model
        embedding, frames, layout = model.source_embedding, 0, None
        if isinstance(embedding, FrameProjection):
            frames = embedding.projection.in_features
        elif isinstance(embedding, FrameEmbedding):
            layout = embedding.layout
            frames = layout.frame_width
        flops = ModelFlops(self.model, model.output_size, frames, layout)
        return SpeedMeter(flops, steps_a_batch(phase), updater.placement, phase.batch_tokens)
