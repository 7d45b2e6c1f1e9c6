"""Settings as a run's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2seq_core.config.settings import Settings
from seq2seq_core.stage_table import find_stage


def stage_parameters(stage: str, settings: Settings) -> dict[str, object]:
    """The settings of the sections that a stage reads, flat, by their names in ``params.yaml``.

    Args:
        stage: the stage's name.
        settings: all settings.
    """
    values: dict[str, object] = {}
    for name in find_stage(stage).sections:
        values |= _flatten(settings.section_named(name).model_dump(mode="json"), name)
    return values


def _flatten(values: Mapping[str, Any], prefix: str) -> dict[str, object]:
    """Nested settings as ``section.field: value``, and lists of settings as ``section.field.0.field: value``."""
    flat: dict[str, object] = {}
    for name, item in values.items():
        is_settings = isinstance(item, list) and bool(item) and all(isinstance(part, dict) for part in item)
        value = {str(number): part for number, part in enumerate(item)} if is_settings else item
        flat |= _flatten(value, f"{prefix}.{name}") if isinstance(value, dict) else {f"{prefix}.{name}": value}
    return flat
