"""The form of a Vocos network: the frames that it reads, and its sizes."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seq2seq_core.config.speech.speech_settings import SpeechSettings

LOG_FLOOR = 1e-7
"""Lower bound of a band before the logarithm; a constant of the network's own front end."""
MAX_WIDTH = 1 << 14


class VocosForm(BaseModel):
    """The frames that a network reads, and its sizes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: int = Field(ge=1, le=768_000)
    """Samples a second."""
    num_mels: int = Field(ge=2, le=512)
    """Bands of a frame."""
    fft_size: int = Field(ge=4, le=1 << 16)
    """Samples of a window, and of its spectrum; a power of two."""
    hop_samples: int = Field(ge=1, le=1 << 15)
    """From one window to the next; at most half of a window."""
    width: int = Field(ge=1, le=MAX_WIDTH)
    """Channels."""
    inner_width: int = Field(ge=1, le=MAX_WIDTH)
    """Channels inside of a block."""
    num_layers: int = Field(ge=1, le=256)
    """Blocks."""

    @model_validator(mode="after")
    def _front_end_can_make_the_frames(self) -> Self:
        if self.fft_size & (self.fft_size - 1):
            raise ValueError(f"n_fft must be a power of two, got {self.fft_size}")
        if self.hop_samples > self.fft_size // 2:
            raise ValueError(f"hop_length must be at most half of n_fft, got {self.hop_samples} and {self.fft_size}")
        return self

    def why_not(self, settings: SpeechSettings, sample_rate: int) -> str:
        """The settings that make other frames than the network reads, with the values that fit; empty: all fit.

        Args:
            settings: of the frames.
            sample_rate: of the recordings.
        """
        fitting = {
            "num_mels": self.num_mels,
            "window_ms": _milliseconds(self.fft_size, self.sample_rate),
            "hop_ms": _milliseconds(self.hop_samples, self.sample_rate),
            "low_hz": 0.0,
            "high_hz": 0.0,
            "log_floor": LOG_FLOOR,
            "spectrum": "magnitude",
            "slopes": "hertz",
            "padding": "center",
        }
        found = {name: getattr(settings, name) for name in fitting}
        for name, samples in (("window_ms", self.fft_size), ("hop_ms", self.hop_samples)):
            if round(found[name] * self.sample_rate / 1000) == samples:
                found[name] = fitting[name]
        if found["high_hz"] == self.sample_rate / 2:
            found["high_hz"] = 0.0
        wrong = [] if sample_rate == self.sample_rate else [f"corpus.sample_rate {self.sample_rate} (got {sample_rate})"]
        wrong += [
            f"tokenize.speech.{name} {_shown(value)} (got {_shown(found[name])})"
            for name, value in fitting.items()
            if found[name] != value
        ]
        return ", ".join(wrong)


def _milliseconds(samples: int, sample_rate: int) -> float:
    """A length that is short to write, and the same number of samples."""
    return float(f"{1000 * samples / sample_rate:.7g}")


def _shown(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1e}" if 0.0 < value < 1e-3 else f"{value:.7g}"  # a file of YAML reads 1e-07 as a text
