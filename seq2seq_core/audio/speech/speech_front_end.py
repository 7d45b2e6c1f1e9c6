"""The front end of targets: recordings to the frames that a model writes, and back to energies. Manifest and bundle store it.

Shapes: N samples, T frames, M mel bands.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from seq2seq_core.audio.mel import LogMel
from seq2seq_core.audio.sound_file import RecordingError, read_recording
from seq2seq_core.audio.speech.speech_samples import Samples, set_loudness, trim_silence
from seq2seq_core.config.speech.speech_settings import ADDED_TO_SPECTRA, SpeechSettings
from seq2seq_core.config.tokenize import AudioSettings
from seq2seq_core.errors import UserError

SMALLEST_SCALE = 1e-3
"""A band whose standard deviation over train is below this is centred only."""
Finite = Annotated[float, Field(allow_inf_nan=False)]


class SpeechFrontEnd(BaseModel):
    """Samples to frames of mean 0 and variance 1 in each band over train."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: int = Field(ge=1, le=768_000)
    """Samples a second of every recording."""
    settings: SpeechSettings
    """How frames are made."""
    mean: list[Finite] = []
    """The mean of each band over train; empty: frames are energies as they are."""
    scale: list[Annotated[float, Field(gt=0.0, allow_inf_nan=False)]] = []
    """The standard deviation of each band over train."""
    max_frames: int = Field(default=1, ge=1, le=1 << 20)
    """Frames of the longest target of train."""

    @model_validator(mode="after")
    def _each_band_has_its_own(self) -> Self:
        for name in ("mean", "scale"):
            if len(getattr(self, name)) not in (0, self.settings.num_mels):
                raise ValueError(f"{name} must have {self.settings.num_mels} values, got {len(getattr(self, name))}")
        return self

    @cached_property
    def log_mel(self) -> LogMel:
        """Computes the energies.

        Raises:
            ValueError: a mel band is so narrow that no bin falls into it.
        """
        shared = {name: getattr(self.settings, name) for name in SpeechSettings.model_fields if name in AudioSettings.model_fields}
        own = self.settings
        return LogMel(AudioSettings(**shared), self.sample_rate, own.spectrum, own.slopes, own.padding)

    @property
    def num_mels(self) -> int:
        """M."""
        return self.settings.num_mels

    @property
    def frame_seconds(self) -> float:
        """Seconds from the start of a frame to the start of the next."""
        return self.log_mel.hop_samples / self.sample_rate

    @model_serializer(mode="wrap")
    def _leave_out_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Manifests and bundles with the spectra of before stay byte for byte what they were.
        values: dict[str, Any] = write(self)
        for name in ADDED_TO_SPECTRA:
            if getattr(self.settings, name) == SpeechSettings.model_fields[name].default:
                values["settings"].pop(name, None)
        return values

    def as_log_power(self, energies_TM: NDArray[np.floating]) -> NDArray[np.floating]:
        """Energies as logarithms of power, also where bands sum up magnitudes."""
        return energies_TM if self.settings.spectrum == "power" else 2.0 * energies_TM

    def energies(self, samples_N: Samples) -> NDArray[np.float32]:
        """The log-mel energies_TM of a recording, without silence at its ends and at the set loudness; at least one frame.

        Args:
            samples_N: from -1 to 1, at the front end's rate; at least one.
        """
        trimmed_N = trim_silence(samples_N, self.log_mel.hop_samples, self.settings.trim_db)
        return self.log_mel.energies(set_loudness(trimmed_N, self.settings.loudness_db))

    def normalize(self, energies_TM: NDArray[np.float32]) -> NDArray[np.float32]:
        """Energies as frames_TM, which the model writes."""
        mean_M, scale_M = np.asarray(self.mean, dtype=np.float32), np.asarray(self.scale, dtype=np.float32)
        frames_TM: NDArray[np.float32] = ((energies_TM - mean_M) / scale_M).astype(np.float32)
        return frames_TM

    def denormalize(self, frames_TM: NDArray[np.float32]) -> NDArray[np.float32]:
        """Frames as energies_TM."""
        mean_M, scale_M = np.asarray(self.mean, dtype=np.float32), np.asarray(self.scale, dtype=np.float32)
        energies_TM: NDArray[np.float32] = (frames_TM * scale_M + mean_M).astype(np.float32)
        return energies_TM

    def fitted(self, energies: Iterable[NDArray[np.float32]]) -> SpeechFrontEnd:
        """The front end with mean, scale and longest target of train.

        Args:
            energies: energies_TM of each of its recordings; at least one.
        """
        total, squares, number, longest = np.zeros(self.num_mels), np.zeros(self.num_mels), 0, 1
        for energies_TM in energies:
            exact_TM = energies_TM.astype(np.float64)
            total += exact_TM.sum(axis=0)
            squares += (exact_TM**2).sum(axis=0)
            number, longest = number + len(exact_TM), max(longest, len(exact_TM))
        mean = total / number
        deviation = np.sqrt(np.maximum(squares / number - mean**2, 0.0))
        scale = np.where(deviation < SMALLEST_SCALE, 1.0, deviation)
        found = {"mean": mean.round(6).tolist(), "scale": scale.round(6).tolist(), "max_frames": longest}
        return type(self).model_validate({**self.model_dump(), **found})


class SpeechReader:
    """Reads recordings as energies.

    Args:
        front_end: makes the energies.
        folder: file names start here.
    """

    def __init__(self, front_end: SpeechFrontEnd, folder: Path) -> None:
        self.front_end, self.folder = front_end, folder

    def energies(self, name: str) -> NDArray[np.float32]:
        """The energies_TM of a recording that ``prepare`` has written.

        Args:
            name: of the file.

        Raises:
            UserError: it cannot be used; names it.
        """
        path = self.folder / name
        try:
            return self.front_end.energies(read_recording(path, self.front_end.sample_rate).samples_N)
        except RecordingError as error:
            raise UserError(f"{path}: {error}; `s2s prepare` (or `dvc repro prepare`) puts it there") from None
