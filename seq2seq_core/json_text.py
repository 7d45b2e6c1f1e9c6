"""The reader of JSON objects that users write: whatever a text holds, the result is an object or a :class:`JsonError`."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 100
"""Most levels of nested lists and objects."""
MAX_SHOWN_CHARACTERS = 60
_SPACE = re.compile(r"[ \t\r\n]*")


class JsonError(Exception):
    """A text is no JSON object that can be used; the message says why."""


def parse_object(text: str) -> dict[str, Any]:
    """The object in a text; every name and text in it can be written as UTF-8.

    Args:
        text: one JSON object, of valid Unicode.

    Raises:
        JsonError: the text is not JSON, not an object or nested too deep, or a text in it has half of a surrogate pair.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise JsonError(f"not valid JSON ({error})") from None
    if not isinstance(value, dict):
        raise JsonError(f"not a JSON object, but {shorten(text.strip())!r}")
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(value):
        raise _too_deep()
    if "\\u" in text:  # in valid Unicode, only an escape can give half of a surrogate pair
        _check_surrogates(value)
    return value


def leading_members(text: str) -> dict[str, Any]:
    """The members of a broken object that are whole, up to the first fault.

    Args:
        text: what :func:`parse_object` refuses.
    """
    found: dict[str, Any] = {}
    place, separator = 0, "{"
    try:
        while True:
            name, place = _value_behind(text, place, separator)
            value, place = _value_behind(text, place, ":")
            # A number at the end of the text may have lost digits.
            if not isinstance(name, str) or _end_of_space(text, place) == len(text) or _is_too_deep(value):
                return found
            if not has_surrogate(json.dumps([name, value], ensure_ascii=False)):
                found[name] = value
            separator = ","
    except (ValueError, RecursionError):
        return found


def _value_behind(text: str, place: int, separator: str) -> tuple[Any, int]:
    """The value behind a separator, and where it ends."""
    start = _end_of_space(text, place)
    if not text.startswith(separator, start):
        raise ValueError(f"no {separator!r}")
    return json.JSONDecoder().raw_decode(text, _end_of_space(text, start + 1))


def _end_of_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def shorten(text: str, width: int = MAX_SHOWN_CHARACTERS) -> str:
    """The beginning of a text, for messages.

    Args:
        text: the whole text.
        width: the maximum number of characters.
    """
    return text if len(text) <= width else text[: width - 1] + "…"


def _too_deep() -> JsonError:
    return JsonError(f"nested deeper than {MAX_DEPTH} levels")


def _is_too_deep(value: Any) -> bool:
    layer, depth = [value], 0
    while layer:
        depth += 1
        if depth > MAX_DEPTH + 1:  # the innermost layer holds texts and numbers
            return True
        layer = [child for one in layer for child in _children(one)]
    return False


def _children(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _check_surrogates(value: dict[str, Any]) -> None:
    for name, item in value.items():
        if has_surrogate(name):
            shown = name.encode("ascii", "backslashreplace").decode()
            raise JsonError(f"the name {shorten(shown)!r} has half of a surrogate pair (a \\ud8xx escape without its partner)")
        if has_surrogate(item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)):
            raise JsonError(f"the text in {shorten(name)!r} has half of a surrogate pair (a \\ud8xx escape without its partner)")


def has_surrogate(text: str) -> bool:
    """Whether a text has half of a surrogate pair, and so no form in UTF-8.

    Args:
        text: any text.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
