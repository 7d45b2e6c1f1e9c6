"""The settings of the small models: those of the workspace, with a smaller model and a shorter training."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import ConfigError
from seq2seq_core.sweep.dotted import put_setting

MOST = {"width": 128, "encoder_layers": 2, "decoder_layers": 2, "feedforward_width": 512}
"""Largest sizes of the model."""
HEADS = 4
VALIDATIONS = 5
STEADY = {"schedule": "cosine", "average_last": 0, "average_decay": 0.99}
"""Settings of ``train`` by which trainings that differ by their seed alone end nearer to one another."""
OF_LARGE_TRAININGS = ("phases", "initial_weights", "initial_digest", "freeze", "judge", "max_epochs", "plateau")
"""Settings of ``train`` that the small training does without."""


def small_values(values: Mapping[str, Any], settings: Settings, root: Path, max_steps: int) -> dict[str, Any]:
    """The sections of a parameters file for a small model.

    Args:
        values: the sections of the workspace's file.
        settings: the same, parsed.
        root: the workspace; a relative corpus path starts there.
        max_steps: most updates of the training.
    """
    small: dict[str, Any] = deepcopy(dict(values))
    small["corpus"] = {**small["corpus"], "path": str(root / settings.corpus.path), "monolingual": []}
    model = settings.model
    small["model"] = {**small.get("model", {}), **{name: min(most, getattr(model, name)) for name, most in MOST.items()}}
    if small["model"]["width"] % model.heads:
        small["model"]["heads"] = HEADS
    train = {name: value for name, value in small.get("train", {}).items() if name not in OF_LARGE_TRAININGS}
    steps = min(max_steps, settings.train.max_steps)
    train |= STEADY | {"max_steps": steps, "warmup_steps": min(settings.train.warmup_steps, steps // 4)}
    small["train"] = train | {"validate_every_steps": max(1, steps // VALIDATIONS)}
    small["prepare"] = {**small.get("prepare", {}), "max_dropped_fraction": 1.0, "warn_dropped_fraction": 1.0, "distill": None}
    return small


def variant_settings(values: Mapping[str, Any], changes: Mapping[str, Any], source: str) -> Settings:
    """The settings of a variant.

    Args:
        values: sections, of :func:`small_values`.
        changes: values by dotted names.
        source: what the settings are for, for errors.

    Raises:
        ConfigError: a value does not fit.
    """
    changed = deepcopy(dict(values))
    for name, value in changes.items():
        try:
            put_setting(changed, name, value)
        except KeyError:
            raise ConfigError([f"{name}: there is no such setting, because a part of the name is no section"], source) from None
    return parse_settings(changed, source)
