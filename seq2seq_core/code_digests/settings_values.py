"""Values of settings for digests. A setting that is off counts as absent, so a new setting that is off changes no digest."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from pydantic import BaseModel

from seq2seq_core.config.section import OFF


def values_in_use(section: BaseModel) -> dict[str, Any]:
    """The values of a section, nested ones included, without fields that are off and off by default.

    Defaults that are on are among them, so a changed default changes the result.

    Args:
        section: of the settings.
    """
    found: dict[str, Any] = {}
    dumped = section.model_dump(mode="json")
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            found |= {name: inner} if (inner := values_in_use(value)) else {}
        elif not is_off(value) or value != field.get_default(call_default_factory=True):
            found[name] = dumped[name]
    return found


def defaults_in_use(module: ModuleType) -> dict[str, dict[str, str]]:
    """The defaults that are not off of the settings classes that a module defines, by class and field.

    Args:
        module: of ``config``.
    """
    classes = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return {
        kind.__name__: {
            name: repr(default)
            for name, field in kind.model_fields.items()
            if not is_off(default := field.get_default(call_default_factory=True))
        }
        for kind in classes
        if kind.__module__ == module.__name__
    }


def is_off(value: object) -> bool:
    """Whether a value switches a setting off; an empty list or mapping does."""
    return value in ([], {}, ()) or value in OFF


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
