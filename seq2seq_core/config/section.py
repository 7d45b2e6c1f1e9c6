"""The base of every section of ``params.yaml``: frozen, closed to unknown keys, documented field by field."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationInfo, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError

Side = Literal["source", "target"]
"""The sides of a pair."""
OFF: tuple[object, ...] = (None, False, 0, "", "none", "off", "keep", {})
"""Values that switch a setting off."""
MAX_SHOWN = 300
"""Characters of a wrong value that a message shows."""


class Section(BaseModel):
    """One section of the parameters.

    Every field has a docstring that states its unit and range; an unknown key is a fault.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The section's JSON schema with what its fields mean."""
        found = handler(schema)
        fields = handler.resolve_ref_schema(found)["properties"]
        for name, meaning in field_meanings(cls).items():
            fields[name].setdefault("description", meaning)
        return found

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuses true and false where a number is expected: Python takes them for 1 and 0."""
        kinds = _parts_of(cls.model_fields[str(info.field_name)].annotation) if isinstance(value, bool) else set()
        if kinds & {int, float} and not kinds & {bool, True, False, Any}:
            raise PydanticCustomError("number_expected", "a number")
        return value


@cache
def field_meanings(section: type[BaseModel]) -> dict[str, str]:
    """By field, the docstring below it, which says what the setting means; inherited fields too.

    Pydantic would read them where a class is made (``use_attribute_docstrings``): a third of the time in which all sections are
    loaded, in every process, although hardly any shows them.

    Args:
        section: a class whose source is at hand; what a class without one adds has no meaning.
    """
    meanings: dict[str, str] = {}
    for kind in reversed(section.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            found = _own_meanings(kind)
            meanings |= {name: found.get(name, meanings.get(name, "")) for name in inspect.get_annotations(kind)}
    return {name: meanings[name] for name in section.model_fields if meanings.get(name)}


def _own_meanings(kind: type[BaseModel]) -> dict[str, str]:
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    except (OSError, TypeError):  # made by a function
        return {}
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found


def _parts_of(annotation: Any) -> set[Any]:
    """The types and values in an annotation, such as ``float`` and ``None`` in ``float | None``."""
    parts = get_args(annotation)
    return {annotation} if not parts else set[Any]().union(*map(_parts_of, parts))


def describe_fault(detail: ErrorDetails) -> str:
    """One fault as ``section.field: must be ..., got ...``.

    Args:
        detail: as pydantic reports it.
    """
    parts = [str(part).removesuffix("_") for part in detail["loc"] if not _is_union_branch(part)]
    where = ".".join(parts)
    context = detail.get("ctx", {})
    got = repr(detail["input"])
    got = got if len(got) <= MAX_SHOWN else f"{got[:MAX_SHOWN]}..."
    match detail["type"]:
        case "extra_forbidden":
            return f"{where}: must be a known setting, got an unknown name (value {got})"
        case "missing":
            return f"{where}: must be given, got nothing"
        case "value_error":
            message = str(context["error"])
            return message if not where else f"{where}: {message}"
        case "literal_error":
            return f"{where}: must be one of {context['expected']}, got {got}"
        case kind:
            bounds = {
                "greater_than_equal": "at least {ge}",
                "greater_than": "above {gt}",
                "less_than_equal": "at most {le}",
                "less_than": "below {lt}",
                "string_pattern_mismatch": "a text that matches {pattern}",
                "string_too_short": "a text of at least {min_length} character(s)",
                "too_short": "a list of at least {min_length} item(s)",
                "model_type": "a mapping of settings",
                "bool_parsing": "true or false",
                "bool_type": "true or false",
                "int_parsing": "a whole number",
                "int_type": "a whole number",
                "int_from_float": "a whole number",
                "float_parsing": "a number",
                "float_type": "a number",
                "finite_number": "a finite number",
                "string_type": "a text",
                "list_type": "a list",
                "tuple_type": "a list",
                "dict_type": "a mapping",
            }
            expected = bounds[kind].format(**context) if kind in bounds else detail["msg"].removeprefix("Input should be ")
            return f"{where}: must be {expected}, got {got}"


def _is_union_branch(part: str | int) -> bool:
    """Whether a part of pydantic's location names a branch of a union, which does not occur in the file."""
    branches = ("str", "float", "int", "names", "mapping")
    return isinstance(part, str) and (part in branches or part.startswith(("tuple[", "list[", "function-")))
