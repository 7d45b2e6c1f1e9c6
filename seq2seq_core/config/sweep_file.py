"""The file of a sweep: the settings to search, the metric of the trials, and when a trial is stopped early."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from seq2seq_core.config.metric_names import DevMetric
from seq2seq_core.config.section import Section, describe_fault
from seq2seq_core.config.settings import load_values
from seq2seq_core.errors import ConfigError


class Searched(Section):
    """The values that one setting may take: a range of numbers, or a list of choices."""

    low: float | None = None
    """The smallest value."""
    high: float | None = None
    """The largest value, itself included."""
    step: float | None = Field(default=None, gt=0.0)
    """Distance of neighbouring values, from ``low`` on; left out: 1 for a whole number, none for another number."""
    log: bool = False
    """Whether values are drawn evenly by their logarithm, as suits a learning rate."""
    choices: list[Any] | None = Field(default=None, min_length=2)
    """The values, if they are not a range."""

    @model_validator(mode="after")
    def _is_a_range_or_a_list(self) -> Self:
        if self.choices is not None:
            if self.model_fields_set & {"low", "high", "step", "log"}:
                raise ValueError("must have either choices or low and high, got both")
            if len({repr(choice) for choice in self.choices}) < len(self.choices):
                raise ValueError(f"choices must differ from one another, got {self.choices}")
            return self
        if self.low is None or self.high is None:
            raise ValueError("must have low and high, or choices, got neither")
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0.0:
            raise ValueError(f"low must be above 0 with log, got {self.low:g}")
        if self.log and self.step is not None:
            raise ValueError(f"step must be left out with log, got {self.step:g}")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(f"step must be at most high - low, got {self.step:g} from {self.low:g} to {self.high:g}")
        return self


PruningMethod = Literal["median", "hyperband", "none"]
"""The rule that detects a bad trial."""


class Pruning(Section):
    """When a bad trial is stopped early; it is checked after each validation."""

    method: PruningMethod = "median"
    """``median``: its best value so far is worse than the median of the completed trials at the same update. ``hyperband``: it
    is not among the best of its bracket (Li 2018). ``none``: every trial is trained to its end."""
    startup_trials: int = Field(default=4, ge=1)
    """``median``: completed trials before any is stopped early."""
    warmup_steps: int = Field(default=0, ge=0)
    """Updates of a trial before it can be stopped early; with ``hyperband`` the fewest that it gets (0: one validation's)."""
    reduction_factor: int = Field(default=3, ge=2)
    """``hyperband``: one of this many trials goes on at each rung."""


class SweepSettings(Section):
    """A search over settings."""

    name: str = Field(default="", pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$")
    """Name of the sweep, and of its folder in ``.s2s/sweeps``; empty: that of the file."""
    metric: DevMetric | None = None
    """Metric that trials are compared by, on dev; it is each trial's ``train.dev_metric`` and says whether higher is better. Left
    out: the
    ``train.dev_metric`` of the parameters."""
    trials: int = Field(default=20, ge=1)
    """Number of trials to end: completed, stopped early or failed."""
    seed: int = Field(default=1, ge=0)
    """Seed of the choice of values; that of the trainings is ``train.seed``."""
    random_trials: int = Field(default=5, ge=1)
    """Random trials before values are chosen from earlier results (TPE, Bergstra 2011)."""
    begin_with_current: bool = True
    """Whether the first trial has the present settings of the parameters, if they are within ``space``."""
    pruning: Pruning = Pruning()
    """When trials are stopped early."""
    settings: dict[str, Any] = {}
    """Settings that replace those of the parameters in every trial, such as a smaller ``train.max_steps``."""
    keep_settings: bool = True
    """Whether ``settings`` are written with the best values; false for those that only make trials cheaper."""
    space: dict[str, Searched] = Field(min_length=1)
    """The values of each setting that is searched, by names such as ``train.learning_rate`` or ``train.phases.0.learning_rate``."""


def load_sweep(path: Path) -> SweepSettings:
    """The sweep that a file describes, with a name.

    Args:
        path: a YAML file with the fields of :class:`SweepSettings`.

    Raises:
        ConfigError: the file is missing, not YAML, or has faults; all of them are listed.
    """
    values = load_values(path, "a sweep there (see configs/sweeps/)")
    if not isinstance(values, dict):
        raise ConfigError([f"must be a mapping with space and other fields, got {type(values).__name__}"], str(path))
    try:
        return SweepSettings.model_validate({"name": path.stem} | values)
    except ValidationError as error:
        raise ConfigError([describe_fault(detail) for detail in error.errors()], str(path)) from None
