"""Settings by names such as ``train.plateau.factor`` or ``train.phases.0.learning_rate``."""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence
from typing import Any

from pydantic import BaseModel

from seq2seq_core.config.settings import Settings


def put_setting(values: MutableMapping[str, Any], name: str, value: object) -> None:
    """Puts a value into sections as they stand in a parameters file; sections that it lacks are made.

    Args:
        values: the sections.
        name: where; a number is a place in a list.
        value: what.

    Raises:
        KeyError: the name goes through something that has no parts, or to a place that its list does not have.
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
    """The value that a setting has.

    Args:
        settings: all sections.
        name: where.

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
    """A place in a list."""
    if not isinstance(place, MutableSequence) or not part.isdecimal() or int(part) >= len(place):
        raise KeyError(name)
    return int(part)
