"""The settings of a sweep's trials: those of ``params.yaml``, those of the sweep's file, and the values of each trial."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_core.config.metric_names import DevMetric
from seq2seq_core.config.settings import Settings, load_values, parse_settings
from seq2seq_core.config.sweep_file import Searched, SweepSettings
from seq2seq_core.errors import ConfigError
from seq2seq_core.evaluation.scores import is_higher_better
from seq2seq_core.sweep.dotted import get_setting, put_setting

SECTIONS = ("model", "train")
REFUSED = {
    "train.dev_metric": "must not be set here; it is what `metric` says",
    "train.dev_bleu_tokenizer": "must be the same for every trial, or their values cannot be compared",
    "train.dev_sentences": "must be the same for every trial, or their values cannot be compared",
    "train.initial_weights": "must be the same for every trial",
    "train.initial_digest": "must be the same for every trial",
}
"""Settings of ``model`` and ``train`` that cannot be searched, and why; the sweep may set all but the first for all trials."""


@dataclass(frozen=True)
class SearchSpace:
    """The search space of a sweep.

    Attributes:
        base: the sections of ``params.yaml``, changed by the sweep's settings and metric.
        sweep: the sweep's file.
        settings: the settings of a trial before its values are set.
        source: the name of the sweep's file, for messages.
    """

    base: Mapping[str, Any]
    sweep: SweepSettings
    settings: Settings
    source: str

    @property
    def metric(self) -> DevMetric:
        """The metric of the ranking: the dev metric of the last phase."""
        return self.settings.train.all_phases()[-1].dev_metric

    @property
    def is_higher_better(self) -> bool:
        """Whether a higher value of the metric is better."""
        return is_higher_better(self.metric)

    def settings_of(self, values: Mapping[str, object]) -> Settings:
        """The settings of a trial.

        Args:
            values: values of the searched settings, by name.

        Raises:
            ConfigError: the values conflict.
        """
        return parse_settings(_with(self.base, values), "the trial's settings")

    def kept_settings(self, values: Mapping[str, object]) -> dict[str, object]:
        """The settings of a trial that replace those of ``params.yaml`` when it is kept, by name.

        Args:
            values: values of the searched settings, by name.
        """
        metric = {"train.dev_metric": self.sweep.metric} if self.sweep.metric else {}
        return {**(self.sweep.settings if self.sweep.keep_settings else {}), **metric, **values}

    def current_values(self) -> dict[str, Any] | None:
        """The values of the searched settings in ``params.yaml``; None where one of them is outside the space."""
        values = {name: get_setting(self.settings, name) for name in self.sweep.space}
        is_inside = all(_contains(searched, values[name]) for name, searched in self.sweep.space.items())
        return values if is_inside else None

    def first_value(self, name: str) -> Any:
        """The first choice or the smallest number of a searched setting."""
        searched = self.sweep.space[name]
        if searched.choices is not None:
            return searched.choices[0]
        assert searched.low is not None
        return int(searched.low) if self.is_whole(name) else searched.low

    def is_whole(self, name: str) -> bool:
        """Whether a setting with a range is a whole number."""
        return isinstance(get_setting(self.settings, name), int)


def open_space(sweep: SweepSettings, params: Path, source: str) -> SearchSpace:
    """The search space of a sweep over the settings of a parameters file.

    Args:
        sweep: the content of the sweep's file.
        params: the parameters file.
        source: the name of the sweep's file, for messages.

    Raises:
        ConfigError: the parameters are invalid, or the sweep names unknown settings or invalid values; lists every fault.
    """
    values = load_values(params)
    own = {**sweep.settings, **({"train.dev_metric": sweep.metric} if sweep.metric else {})}
    faults = [f"settings.{name}: {fault}" for name in sweep.settings if (fault := _name_fault(name))]
    faults += [f"space.{name}: {fault}" for name in sweep.space if (fault := _name_fault(name) or _space_fault(name))]
    faults += [f"space.{name}: must not be in settings too" for name in sweep.space if name in sweep.settings]
    for name, value in sweep.settings.items():
        faults += [f"settings.{fault}" for fault in _value_faults(values, name, value)]
    if faults:
        raise ConfigError(faults, source)
    base = _with(values, own)
    space = SearchSpace(base, sweep, parse_settings(base, f"{params.name} with the settings of {source}"), source)
    faults = [fault for name, searched in sweep.space.items() for fault in _range_faults(space, name, searched)]
    if sweep.metric and space.metric != sweep.metric:
        faults.append(f"metric: must be left out or {space.metric!r}, the dev_metric of the last phase, got {sweep.metric!r}")
    if faults:
        raise ConfigError(faults, source)
    return space


def _with(values: Mapping[str, Any], own: Mapping[str, object]) -> dict[str, Any]:
    """A copy of the sections with some settings changed."""
    changed: dict[str, Any] = copy.deepcopy(dict(values))
    for name, value in own.items():
        put_setting(changed, name, value)
    return changed


def _name_fault(name: str) -> str:
    """The reason why a sweep cannot set a setting of this name; empty where it can."""
    if name.partition(".")[0] == "tokenize":
        return "must be a setting of model or train: a sweep does not tokenise the corpus anew for each trial"
    if name.partition(".")[0] not in SECTIONS or "." not in name:
        return "must be a setting of model or train, such as train.learning_rate"
    return REFUSED["train.dev_metric"] if name.endswith(".dev_metric") else ""


def _space_fault(name: str) -> str:
    """The reason why a sweep cannot search a setting of ``train`` or of one of its phases; empty where it can."""
    return REFUSED.get(f"train.{name.rpartition('.')[2]}", "") if name.startswith("train.") else ""


def _value_faults(base: Mapping[str, Any], name: str, value: object) -> list[str]:
    """The faults of a setting's value by itself, without conflicts with other settings."""
    if _name_fault(name):
        return []
    try:
        parse_settings(_with(base, {name: value}), "")
    except KeyError:
        return [f"{name}: must be a known setting, got an unknown name"]
    except ConfigError as error:
        parts = name.split(".")
        above = [".".join(parts[:number]) for number in range(1, len(parts))]
        kinds = tuple(f"{place}: must be {kind}" for place in above for kind in ("a list", "a mapping"))
        if any(fault.startswith(kinds) for fault in error.faults):
            return [f"{name}: must be a known setting, got an unknown name"]
        return [fault for fault in error.faults if fault.startswith((f"{name}:", f"{name}."))]
    return []


def _range_faults(space: SearchSpace, name: str, searched: Searched) -> list[str]:
    """The faults of the choices or the range of a searched setting."""
    if searched.choices is not None:
        faults = [fault for choice in searched.choices for fault in _value_faults(space.base, name, choice)]
        return list(dict.fromkeys(f"space.{fault}" for fault in faults))
    try:
        value = get_setting(space.settings, name)
    except KeyError:
        return [f"space.{name}: must be a known setting, got an unknown name"]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [f"space.{name}: must have choices, because it is no number (it is {value!r}), got a range"]
    ends = {"low": searched.low, "high": searched.high, "step": searched.step}
    given = {end: number for end, number in ends.items() if number is not None}
    if isinstance(value, int) and (parts := [end for end, number in given.items() if number != int(number)]):
        return [f"space.{name}.{end}: must be a whole number, got {given[end]:g}" for end in parts]
    convert = int if isinstance(value, int) else float
    faults = [fault for end in ("low", "high") for fault in _value_faults(space.base, name, convert(given[end]))]
    return [f"space.{fault}" for fault in faults]


def _contains(searched: Searched, value: object) -> bool:
    """Whether a value is among the choices or in the range of a searched setting."""
    if searched.choices is not None:
        return (list(value) if isinstance(value, tuple) else value) in searched.choices
    assert searched.low is not None
    assert searched.high is not None
    if not isinstance(value, int | float) or not searched.low <= value <= searched.high:
        return False
    steps = (value - searched.low) / searched.step if searched.step else 0.0
    return abs(steps - round(steps)) < 1e-8
