"""The audio front end: recordings to the frames that a model reads. Manifest and bundle store its settings.

Shapes: N samples, S frames, M mel bands, F features of a frame (bands times stacked frames).
"""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar, Self, assert_never

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from seq2seq_core.audio.mel import LogMel
from seq2seq_core.config.tokenize import AudioSettings, FrameNormalization

MAX_WINDOW_SAMPLES = 1 << 16


class FrontEnd(BaseModel):
    """Samples to frames: log-mel energies, normalised over the recording, neighbouring ones side by side."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: int = Field(ge=1, le=768_000)
    """Samples a second of every recording."""
    settings: AudioSettings
    """How frames are made."""
    smallest_deviation: ClassVar[float] = 1e-5
    """A band whose standard deviation is below this (silence) is centred only."""

    @model_validator(mode="after")
    def _bands_have_room(self) -> Self:
        most_ms = 1000 * MAX_WINDOW_SAMPLES / self.sample_rate
        if self.settings.window_ms > most_ms:
            found = f"{self.settings.window_ms:g} at {self.sample_rate} samples a second"
            raise ValueError(f"window_ms must be at most {most_ms:g}, got {found}")
        high_hz = self.settings.high_hz or self.sample_rate / 2
        if self.settings.low_hz >= high_hz:
            raise ValueError(f"low_hz must be below the upper edge of the bands, {high_hz:g}, got {self.settings.low_hz:g}")
        return self

    @property
    def frame_width(self) -> int:
        """F."""
        return self.settings.num_mels * self.settings.stack_frames

    @property
    def frame_seconds(self) -> float:
        """Seconds from the start of a frame to the start of the next."""
        return self.settings.frame_stride * self.log_mel.hop_samples / self.sample_rate

    @cached_property
    def log_mel(self) -> LogMel:
        """Computes the energies.

        Raises:
            ValueError: a mel band is so narrow that no bin falls into it.
        """
        return LogMel(self.settings, self.sample_rate)

    def frames(self, samples_N: NDArray[np.float32]) -> NDArray[np.float32]:
        """The frames_SF of a recording; at least one.

        Args:
            samples_N: float32, from -1 to 1, at the front end's rate; at least one.
        """
        energies_SM = _normalize(self.log_mel.energies(samples_N), self.settings.normalization)
        return stack_frames(energies_SM, self.settings.stack_frames, self.settings.frame_stride)


def _normalize(energies_SM: NDArray[np.float32], kind: FrameNormalization) -> NDArray[np.float32]:
    """Energies with mean 0, and where asked for variance 1, in each band over the recording."""
    match kind:
        case "none":
            return energies_SM
        case "mean" | "mean_variance":
            centred_SM = energies_SM - energies_SM.mean(axis=0, dtype=np.float64)
            if kind == "mean_variance":
                deviation_M = centred_SM.std(axis=0)
                centred_SM = centred_SM / np.where(deviation_M < FrontEnd.smallest_deviation, 1.0, deviation_M)
            normalized_SM: NDArray[np.float32] = centred_SM.astype(np.float32)
            return normalized_SM
        case unknown:
            assert_never(unknown)


def stack_frames(frames_SM: NDArray[np.float32], size: int, stride: int) -> NDArray[np.float32]:
    """Every ``stride``-th frame, concatenated with the frames after it (Sak 2015, section 4): (S / stride, rounded up; size M).

    Args:
        frames_SM: at least one. The last frame is repeated beyond the end.
        size: frames side by side.
        stride: from one result to the next, in frames.
    """
    if size == stride == 1:
        return frames_SM
    starts = np.arange(0, len(frames_SM), stride)
    places = np.minimum(starts[:, None] + np.arange(size), len(frames_SM) - 1)
    stacked: NDArray[np.float32] = frames_SM[places].reshape(len(starts), -1)
    return stacked
