"""What is searched, as Optuna knows it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from optuna import Trial
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner

from seq2seq_core.config.settings import Settings
from seq2seq_core.config.sweep_file import Pruning, Searched
from seq2seq_core.sweep.space import SearchSpace

Scalar = None | bool | int | float | str


def suggest_values(trial: Trial, space: SearchSpace, seed: Callable[[str], None]) -> dict[str, Any]:
    """The values of a trial; those that it has already stay.

    Args:
        trial: Optuna's.
        space: what is searched.
        seed: makes what is drawn next depend on a name; called before each value, so that none depends on which others there were.
    """
    seed("")
    assert trial.relative_params is not None  # drawn now: values that are drawn together
    values = {}
    for name, searched in space.sweep.space.items():
        seed(name)
        values[name] = _suggest(trial, name, searched, space)
    return values


def encode_values(values: Mapping[str, Any]) -> dict[str, Scalar]:
    """Values as they stand in Optuna's journal.

    Args:
        values: by the name of the setting.
    """
    return {name: _encode(value) for name, value in values.items()}


def decode_values(params: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """Values from Optuna's journal.

    Args:
        params: as :func:`encode_values` gave them.
        space: what is searched.
    """
    return {name: _decode(params[name], searched) for name, searched in space.sweep.space.items() if name in params}


def make_pruner(pruning: Pruning, settings: Settings) -> BasePruner:
    """Optuna's pruner; what it calls a step is an update.

    Args:
        pruning: the method and its settings.
        settings: of a trial without values of its own: how many updates it has, and how often it is validated.
    """
    phases = settings.train.all_phases()
    match pruning.method:
        case "none":
            return NopPruner()
        case "median":
            return MedianPruner(n_startup_trials=pruning.startup_trials, n_warmup_steps=pruning.warmup_steps)
        case "hyperband":
            most = sum(phase.max_steps for phase in phases)
            least = min(pruning.warmup_steps or phases[0].validate_every_steps, most)
            return HyperbandPruner(min_resource=least, max_resource=most, reduction_factor=pruning.reduction_factor)
        case unknown:
            assert_never(unknown)


def _suggest(trial: Trial, name: str, searched: Searched, space: SearchSpace) -> Any:
    """One value."""
    if searched.choices is not None:
        return _decode(trial.suggest_categorical(name, [_encode(choice) for choice in searched.choices]), searched)
    assert searched.low is not None
    assert searched.high is not None
    if space.is_whole(name):
        low, high, step = int(searched.low), int(searched.high), int(searched.step or 1)
        return trial.suggest_int(name, low, high - (high - low) % step, step=step, log=searched.log)
    return trial.suggest_float(name, searched.low, searched.high, step=searched.step, log=searched.log)


def _encode(value: Any) -> Scalar:
    """A choice that is a list or a mapping as JSON, for which Optuna has no type; any other as it is."""
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value, sort_keys=True) if isinstance(value, list | dict) else value


def _decode(value: Any, searched: Searched) -> Any:
    """The choice that was encoded so; a number of a range as it is."""
    return next(choice for choice in searched.choices if _encode(choice) == value) if searched.choices else value
