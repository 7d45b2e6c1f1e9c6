"""Settings as a run's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2seq_core.config.settings import Settings

_SECTIONS = {
    "validate": ("corpus", "validate_"),
    "prepare": ("corpus", "prepare"),
    "tokenize": ("tokenize",),
    "train": ("model", "train"),
    "learning-curve": ("model", "train"),
    "evaluate": ("evaluate",),
    "register": ("register_",),
}


def stage_parameters(stage: str, settings: Settings) -> dict[str, object]:
    """The settings of the sections that concern a stage, flat, with the names that the parameters file has for them.

    Args:
        stage: the stage's name.
        settings: all settings.
    """
    values: dict[str, object] = {}
    for section in _SECTIONS.get(stage, ()):
        values |= _flatten(getattr(settings, section).model_dump(mode="json"), section.removesuffix("_"))
    return values


def _flatten(values: Mapping[str, Any], prefix: str) -> dict[str, object]:
    """Nested settings as ``section.field: value``; of a list of settings, each as ``section.field.0.field: value``."""
    flat: dict[str, object] = {}
    for name, item in values.items():
        is_settings = isinstance(item, list) and bool(item) and all(isinstance(part, dict) for part in item)
        value = {str(number): part for number, part in enumerate(item)} if is_settings else item
        flat |= _flatten(value, f"{prefix}.{name}") if isinstance(value, dict) else {f"{prefix}.{name}": value}
    return flat
