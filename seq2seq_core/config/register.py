"""``register``: the name in the registry and when a new version becomes the champion."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.metric_names import MetricName
from seq2seq_core.config.section import Section

RESERVED_ENDING = ".ledger"


class GateSection(Section):
    """The promotion gate: what a version must prove to become the champion."""

    alpha: float = Field(default=0.05, gt=0.0, lt=1.0)
    """Largest chance of a wrong promotion over the life of a test set, however many versions are compared on it."""
    margin: float = Field(default=0.0, ge=0.0)
    """A loss below it does not matter, in the metric's unit; 0: no version counts as equal to the champion."""
    promotes_equal: bool = False
    """Whether a version that is proved to be worse by less than the margin takes the alias, as the newer one of two equals."""
    baselines: bool = True
    """Whether a version must also be proved better than the best trivial baseline (such as a copy of the source)."""
    minimum_rows: int = Field(default=100, ge=1)
    """The fewest test rows with which a version becomes the champion."""
    slice_floors: dict[str, float] = {}
    """The score that a version must reach on a slice, by ``column=value`` of the test set, such as ``{language=ar: 0.9}``."""
    protected: list[str] = []
    """Slices, ``column=value``, on which a version may not score below the champion."""
    forbids_worse_slices: bool = True
    """Whether a slice on which a version is proved worse (corrected for the number of slices) stops its promotion."""
    maximum_bundle_mb: float | None = Field(default=None, gt=0.0)
    """The largest size of a version's files, in MB; none: any."""
    maximum_milliseconds: float | None = Field(default=None, gt=0.0)
    """The longest median time of one request of one row, in ms on the machine that registers; none: any."""
    power: float = Field(default=0.8, gt=0.0, lt=1.0)
    """The chance with which the stated smallest gain would be proved."""
    wanted_gain: float | None = Field(default=None, gt=0.0)
    """A gain that you want to see: the report says when the test set has become too weak for it. None: no such advice."""

    @model_validator(mode="after")
    def _slices_have_a_value(self) -> Self:
        for name in (*self.slice_floors, *self.protected):
            if not all(name.partition("=")):
                raise ValueError(f"slices must be column=value, got {name!r}")
        if self.promotes_equal and not self.margin:
            raise ValueError("promotes_equal needs a margin above 0")
        return self


class DriftSection(Section):
    """The comparison of the corpus with the champion's, when a version is registered."""

    action: Literal["warn", "stop", "off"] = "warn"
    """What drift does: ``warn`` says so, ``stop`` also keeps the version from becoming the champion, ``off`` compares nothing."""
    alpha: float = Field(default=0.01, ge=0.01, le=0.2)
    """Largest chance of a false alarm, of all measures together, each time that a corpus of the same kind is compared."""
    minimal_effect: float = Field(default=0.1, ge=0.0, le=1.0)
    """The smallest effect that counts, from 0 (the same) to 1 (nothing in common), however many rows prove it; 0.1 is small."""


class RegisterSection(Section):
    """Registration and promotion."""

    model_name: str = Field(min_length=1, pattern=r"^[\w.-]+$")
    """Name of the registered model: letters, digits, ``_``, ``.`` and ``-``; it does not end in ``.ledger``."""
    purpose: str = ""
    """What the model is for, and what it is not for, in your words: the first lines of its model card."""
    metric: MetricName = "exact_match"
    """The test metric that decides."""
    minimum_gain: float = Field(default=0.0, ge=0.0)
    """How much better than the champion's score a version must be on the test set, in the metric's unit, besides the proof."""
    minimum_score: float | None = None
    """The lowest score with which a version can become the champion; none: any."""
    gate: GateSection = GateSection()
    """The rules of promotion, on by default."""
    drift: DriftSection = DriftSection()
    """What is told, or done, when the corpus differs from the champion's."""

    @model_validator(mode="after")
    def _the_ledger_has_its_own_name(self) -> Self:
        if self.model_name.endswith(RESERVED_ENDING):
            raise ValueError(f"model_name must not end in {RESERVED_ENDING}, which names the history of a model")
        return self
