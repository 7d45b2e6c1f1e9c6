"""How a model's output is searched for."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class DecodingOptions(BaseModel):
    """Options of decoding, the same for the command line, the evaluator and the served model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    beam_size: int = Field(default=5, ge=1, le=100_000)
    """Hypotheses kept at each step; 1 is greedy decoding."""
    length_penalty: float = Field(default=1.0, ge=0.0)
    """Exponent of the length penalty ((5 + length) / 6) ** exponent (Wu 2016, equation 14); 0: none."""
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
    """Hypotheses returned for each source, best first; at most ``beam_size``."""
    max_source_tokens: int = Field(default=1024, ge=2)
    """A source with more tokens (end mark included) is cut to this many, with a warning."""

    @model_validator(mode="after")
    def _options_go_together(self) -> Self:
        if self.num_hypotheses > self.beam_size:
            raise ValueError(f"num_hypotheses must be at most beam_size, got {self.num_hypotheses} > {self.beam_size}")
        if self.max_length is not None and self.min_length > self.max_length:
            raise ValueError(f"min_length must be at most max_length, got {self.min_length} > {self.max_length}")
        return self

    def length_limit(self, source_length: int) -> int:
        """The most target tokens of a source, its end mark not counted.

        Args:
            source_length: the source's tokens (end mark included) or frames.
        """
        return self.max_length or max(self.min_length, int(self.max_length_ratio * source_length) + self.max_length_offset)
