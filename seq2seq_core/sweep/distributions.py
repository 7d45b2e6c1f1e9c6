"""The search space and the pruner in Optuna's terms."""

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
    """Draws the values of a trial; values that it already has stay.

    Args:
        trial: Optuna's trial.
        space: the search space.
        seed: seeds the next draw by a name; called before each value, so that no value depends on earlier draws.
    """
    seed("")
    assert trial.relative_params is not None  # this draws the values that Optuna draws jointly
    values = {}
    for name, searched in space.sweep.space.items():
        seed(name)
        values[name] = _suggest(trial, name, searched, space)
    return values


def encode_values(values: Mapping[str, Any]) -> dict[str, Scalar]:
    """Encodes values, by setting name, for Optuna's journal."""
    return {name: _encode(value) for name, value in values.items()}


def decode_values(params: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """Decodes values from Optuna's journal.

    Args:
        params: from :func:`encode_values`.
        space: the search space.
    """
    return {name: _decode(params[name], searched) for name, searched in space.sweep.space.items() if name in params}


def make_pruner(pruning: Pruning, settings: Settings) -> BasePruner:
    """Optuna's pruner; its steps are updates.

    Args:
        pruning: the method and its settings.
        settings: the settings of a trial before its values are set: number of updates, and updates between validations.
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
    """Draws one value."""
    if searched.choices is not None:
        return _decode(trial.suggest_categorical(name, [_encode(choice) for choice in searched.choices]), searched)
    assert searched.low is not None
    assert searched.high is not None
    if space.is_whole(name):
        low, high, step = int(searched.low), int(searched.high), int(searched.step or 1)
        return trial.suggest_int(name, low, high - (high - low) % step, step=step, log=searched.log)
    return trial.suggest_float(name, searched.low, searched.high, step=searched.step, log=searched.log)


def _encode(value: Any) -> Scalar:
    """Encodes a list or a mapping as JSON, because Optuna has no such types; other values stay unchanged."""
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value, sort_keys=True) if isinstance(value, list | dict) else value


def _decode(value: Any, searched: Searched) -> Any:
    """The choice with this encoding; a number from a range stays unchanged."""
    return next(choice for choice in searched.choices if _encode(choice) == value) if searched.choices else value
