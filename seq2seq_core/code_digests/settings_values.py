"""Values of settings for digests. A setting that is off counts as absent, so a new setting that is off changes no digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from seq2seq_core.config.section import OFF


def values_in_use(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not off, in nested mappings too. Defaults are among them, so a changed default changes the result.

    Args:
        values: the values of a section, from ``model_dump(mode="json")``.
    """
    kept = {name: values_in_use(value) if isinstance(value, Mapping) else value for name, value in values.items()}
    return {name: value for name, value in kept.items() if value != {} and value != [] and value not in OFF}


def settings_modules(*sections: BaseModel) -> list[str]:
    """The modules that define the classes of sections, nested ones included, sorted: callers of their methods need no import.

    Args:
        sections: sections of the settings.
    """
    found: set[str] = set()
    waiting: list[object] = list(sections)
    while waiting:
        value = waiting.pop()
        if isinstance(value, BaseModel):
            found.add(type(value).__module__)
            waiting.extend(getattr(value, name) for name in type(value).model_fields)
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
    return sorted(found)
