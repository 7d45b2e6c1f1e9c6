"""How a model's output is searched for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class DecodingOptions(BaseModel):
    """Options of decoding, the same for the command line, the evaluator and the served model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    method: Literal["beam", "sampling"] = "beam"
    """Beam search, or hypotheses drawn at random."""
    beam_size: int = Field(default=5, ge=1, le=100_000)
    """Hypotheses kept at each step of beam search; 1 is greedy decoding."""
    length_penalty: float = Field(default=1.0, ge=0.0)
    """Exponent of the length penalty ((5 + length) / 6) ** exponent (Wu 2016, equation 14); 0: none."""
    temperature: float = Field(default=1.0, gt=0.0)
    """Of sampling: what log-probabilities are divided by; below 1 the likely symbols become likelier."""
    top_k: int = Field(default=0, ge=0)
    """Of sampling: how many of the likeliest symbols may be drawn; 0: all."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Of sampling: the fewest likeliest symbols that reach this share may be drawn (Holtzman 2020); 1: all."""
    seed: int = Field(default=0, ge=0)
    """Of sampling: the same seed and source give the same samples, whatever else is in the batch."""
    selection: Literal["score", "mbr"] = "score"
    """Of sampling: ``score`` returns the samples as drawn, ``mbr`` the different ones of greatest expected chrF against all
    (minimum Bayes risk, Eikema and Aziz 2020)."""
    mbr_samples: int = Field(default=32, ge=2, le=1000)
    """Of ``mbr``: samples drawn for each source."""
    max_length_ratio: float = Field(default=3.0, gt=0.0)
    """Most target tokens, as a multiple of the source's tokens or frames (end mark included) ..."""
    max_length_offset: int = Field(default=20, ge=1)
    """... plus this many."""
    max_length: int | None = Field(default=None, ge=1)
    """Most target tokens whatever the source's length; none: by ratio and offset."""
    min_length: int = Field(default=0, ge=0)
    """Fewest target tokens, the end mark not counted; raises a limit by ratio and offset that is below it."""
    no_repeat_ngram_size: int = Field(default=0, ge=0)
    """No run of this many target tokens comes twice in a hypothesis (Paulus 2018, section 2.5); 0: any may."""
    num_hypotheses: int = Field(default=1, ge=1)
    """Hypotheses returned for each source: the best, at most ``beam_size`` or ``mbr_samples``, or as many as are drawn."""
    max_source_tokens: int = Field(default=1024, ge=2)
    """A source with more tokens (end mark included) is cut to this many, with a warning."""
    max_source_frames: int = Field(default=6000, ge=1)
    """A source of frames with more of them (a minute, at a frame every 10 ms) is cut to this many, with a warning."""

    @model_validator(mode="after")
    def _options_go_together(self) -> Self:
        if faults := list(self._conflicts()):
            raise ValueError("; ".join(faults))
        return self

    def _conflicts(self) -> Iterator[str]:
        """What is wrong with options that are each in range."""
        if self.max_length is not None and self.min_length > self.max_length:
            yield f"min_length must be at most max_length, got {self.min_length} > {self.max_length}"
        if self.method == "sampling":
            if self.selection == "mbr" and self.num_hypotheses > self.mbr_samples:
                yield f"num_hypotheses must be at most mbr_samples, got {self.num_hypotheses} > {self.mbr_samples}"
            return
        if self.selection == "mbr":
            yield "selection must be score where method is not sampling, got mbr"
        if self.num_hypotheses > self.beam_size:
            yield f"num_hypotheses must be at most beam_size, got {self.num_hypotheses} > {self.beam_size}"
        for name, neutral in (("temperature", 1.0), ("top_k", 0), ("top_p", 1.0)):
            if getattr(self, name) != neutral:
                yield f"{name} must be {neutral:g} where method is not sampling, got {getattr(self, name)}"

    @property
    def num_samples(self) -> int:
        """Hypotheses that sampling draws for each source."""
        return self.mbr_samples if self.selection == "mbr" else self.num_hypotheses

    @property
    def rows_per_source(self) -> int:
        """Hypotheses of a source that are decoded at the same time."""
        return self.num_samples if self.method == "sampling" else self.beam_size

    def length_limit(self, source_length: int) -> int:
        """The most target tokens of a source, its end mark not counted.

        Args:
            source_length: the source's tokens (end mark included) or frames.
        """
        return self.max_length or max(self.min_length, int(self.max_length_ratio * source_length) + self.max_length_offset)
