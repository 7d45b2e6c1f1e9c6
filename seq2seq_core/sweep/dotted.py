"""Access to settings by dotted names such as ``train.plateau.factor`` or ``train.phases.0.learning_rate``."""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence
from typing import Any

from pydantic import BaseModel

from seq2seq_core.config.settings import Settings


def put_setting(values: MutableMapping[str, Any], name: str, value: object) -> None:
    """Sets a value in the sections of a parameters file; missing sections are created.

    Args:
        values: the sections, changed in place.
        name: the dotted name; a number is an index in a list.
        value: the new value.

    Raises:
        KeyError: a part of the name is in a scalar, or is an index out of range.
    """
    *above, last = name.split(".")
    place: Any = values
    for part in above:
        if isinstance(place, MutableMapping):
            if place.get(part) is None:
                place[part] = {}
            place = place[part]
        else:
            place = place[_index(place, part, name)]
    if isinstance(place, MutableMapping):
        place[last] = value
    else:
        place[_index(place, last, name)] = value


def get_setting(settings: Settings, name: str) -> Any:
    """The value of a setting.

    Args:
        settings: all sections.
        name: the dotted name.

    Raises:
        KeyError: there is no such setting.
    """
    place: Any = settings
    for part in name.split("."):
        if isinstance(place, BaseModel) and part in type(place).model_fields:
            place = getattr(place, part)
        elif isinstance(place, list | tuple) and part.isdecimal() and int(part) < len(place):
            place = place[int(part)]
        else:
            raise KeyError(name)
    return place


def _index(place: object, part: str, name: str) -> int:
    """Parses an index in a list."""
    if not isinstance(place, MutableSequence) or not part.isdecimal() or int(part) >= len(place):
        raise KeyError(name)
    return int(part)
