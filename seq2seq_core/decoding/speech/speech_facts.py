"""What is measured of one utterance: its distance from the real recording, and how its attention goes through the source.

Shapes: R steps, S source length, T frames, M mel bands.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.audio.speech.cepstra import mel_distortion
from seq2seq_core.decoding.speech.speech_predictor import Speech


@dataclass(frozen=True)
class AttentionPath:
    """The way of the attention through the source: the place with the largest weight at each step.

    Attributes:
        monotonic_share: share of the steps (after the first) that do not go back.
        focus: the mean of the largest weight of each step.
        repeated: number of steps that go back.
        skipped: places of the source that were jumped over, from the first to the last place.
    """

    monotonic_share: float
    focus: float
    repeated: int
    skipped: int

    @property
    def is_monotonic(self) -> bool:
        """Whether no step goes back."""
        return self.repeated == 0


@dataclass(frozen=True)
class SpeechFacts:
    """What is known of one synthesised row.

    Attributes:
        distortion: mel-cepstral, in decibels, from the real recording.
        length_ratio: frames of the synthesis, divided by those of the real recording.
        path: of the attention.
        is_cut: whether the limit of frames ended it.
    """

    distortion: float
    length_ratio: float
    path: AttentionPath
    is_cut: bool

    def to_dict(self) -> dict[str, float]:
        """Flat, for JSON."""
        own = {"distortion": round(self.distortion, 4), "length_ratio": round(self.length_ratio, 4), "is_cut": float(self.is_cut)}
        return own | {name: round(float(value), 4) for name, value in asdict(self.path).items()}


def follow_attention(attention_RS: NDArray[np.floating]) -> AttentionPath:
    """The way of the attention through the source.

    Args:
        attention_RS: weights over the source at each step; at least one step.
    """
    places_R = attention_RS.argmax(axis=1)
    steps = np.diff(places_R)
    return AttentionPath(
        monotonic_share=float(np.mean(steps >= 0)) if len(steps) else 1.0,
        focus=float(attention_RS.max(axis=1).mean()),
        repeated=int(np.count_nonzero(steps < 0)),
        skipped=int(np.maximum(steps - 1, 0).sum()),
    )


def measure_speech(speech: Speech, real_TM: NDArray[np.floating]) -> SpeechFacts:
    """The facts of an utterance.

    Args:
        speech: the synthesis.
        real_TM: log-mel energies of the real recording, by the same front end.
    """
    if speech.utterance is None:
        path, is_cut = AttentionPath(1.0, 0.0, 0, 0), False
    else:
        path, is_cut = follow_attention(speech.utterance.attention_RS), speech.utterance.is_cut
    energies_TM, as_log_power = speech.energies_TM, speech.front_end.as_log_power
    return SpeechFacts(
        mel_distortion(as_log_power(energies_TM), as_log_power(real_TM)), len(energies_TM) / len(real_TM), path, is_cut
    )
