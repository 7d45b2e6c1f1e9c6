"""The docstrings below the fields of a section: what each setting means.

Pydantic reads them where a class is made (``use_attribute_docstrings``): a third of the time in which all sections are loaded, in
every process, although hardly any shows them. Here they are read when something asks.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache

from pydantic import BaseModel


@cache
def field_meanings(section: type[BaseModel]) -> dict[str, str]:
    """By field, its docstring; inherited fields too.

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
