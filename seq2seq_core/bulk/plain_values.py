"""Values of Arrow columns as plain Python values, and plain values as JSON: whatever a file holds, each value has a form."""

from __future__ import annotations

import json
import math
from typing import Any


def plain_values(column: Any) -> list[Any]:
    """The values of a column; a date or duration that Python cannot hold is a text.

    Args:
        column: an Arrow array, chunked or not.

    Raises:
        UnicodeDecodeError: a text is not UTF-8.
    """
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        raise
    except (ArithmeticError, LookupError, ValueError):
        return [_plain_value(value) for value in column]
    return values


def _plain_value(scalar: Any) -> Any:
    """A value of a column of which not all can be held."""
    import pyarrow

    if not scalar.is_valid:
        return None
    if isinstance(scalar, pyarrow.StructScalar):
        return {name: _plain_value(value) for name, value in scalar.items()}
    if isinstance(scalar, pyarrow.ListScalar):
        return [_plain_value(value) for value in scalar.values]
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        raise
    except (ArithmeticError, LookupError, ValueError):
        return _text_of(scalar)


def _text_of(scalar: Any) -> str:
    """Arrow's text of a value beyond Python's range, or its number where Arrow has none."""
    import pyarrow

    try:
        text = scalar.cast(pyarrow.string()).as_py()
    except pyarrow.ArrowException:
        text = "<"
    return str(scalar.value if text.startswith("<") else text)


def json_of(value: Any) -> str:
    """A value as JSON; NaN and infinities, which JSON does not have, are null."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def with_members(text: str, members: dict[str, Any]) -> str:
    """The text of a JSON object with further members; its own values stay as they are written.

    Args:
        text: a line with one JSON object.
        members: those that are added; not empty.
    """
    head = text.strip(" \t\r\n").removesuffix("}").rstrip(" \t\r\n")
    return f"{head}{'' if head == '{' else ', '}{json_of(members).removeprefix('{')}"
