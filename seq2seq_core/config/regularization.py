"""Parts of ``train`` that change the input of training: predictions, other segmentations, masked frames."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section


class ScheduledSampling(Section):
    """Training on the model's own predictions in place of some references (Bengio 2015).

    It takes two passes (Mihaylova and Martins 2019), so that it works for every decoder. The first pass reads the references. The
    second pass, which is trained, reads predictions of the first in place of some references.
    """

    decay: Literal["none", "linear", "inverse_sigmoid"] = "none"
    """How the probability of reading the reference falls from about 1 (Bengio 2015, section 2.4); ``none``: it is always read."""
    decay_steps: float = Field(default=2000.0, gt=1.0)
    """``linear``: updates until the probability would be 0. ``inverse_sigmoid``: k of k / (k + exp(update / k)), which is a half
    after k ln k updates."""
    lowest_probability: float = Field(default=0.0, ge=0.0, le=1.0)
    """Lower bound of the probability."""


class SubwordSampling(Section):
    """Other segmentations of the train pairs in every epoch (Kudo 2018), for vocabularies of the kinds ``unigram`` and ``bpe``."""

    sides: Literal["none", "source", "target", "both"] = "none"
    """Sides that are segmented anew. Sampled segmentations are longer: a batch may then exceed ``batch_tokens``."""
    alpha: float = Field(default=0.1, ge=0.0, le=1.0)
    """``unigram``: the lower, the more evenly likely the segmentations. ``bpe``: the probability of skipping a merge
    (Provilkov 2020)."""
    nbest: int = Field(default=-1, ge=-1, le=512)
    """``unigram``: the number of likeliest segmentations to draw from; -1: all. Not used by ``bpe``."""

    @model_validator(mode="after")
    def _there_is_a_choice(self) -> Self:
        if self.nbest in (0, 1):
            raise ValueError(f"nbest must be -1 (all segmentations) or at least 2, got {self.nbest}")
        return self


class SpecAugment(Section):
    """Masks over the frames of train, drawn anew in every update (Park 2019); for sources that are recordings or pictures."""

    frequency_masks: int = Field(default=0, ge=0, le=100)
    """Masks over neighbouring mel bands; of pictures, over rows of pixels."""
    frequency_width: int = Field(default=8, ge=1)
    """Most bands of a mask; its width is drawn from 0 to this."""
    time_masks: int = Field(default=0, ge=0, le=100)
    """Masks over neighbouring frames."""
    time_width: int = Field(default=20, ge=1)
    """Most frames of a mask; its width is drawn from 0 to this."""
    time_fraction: float = Field(default=0.2, gt=0.0, le=1.0)
    """No mask over frames is wider than this share of the source."""

    @property
    def is_on(self) -> bool:
        """Whether anything is masked."""
        return bool(self.frequency_masks or self.time_masks)
