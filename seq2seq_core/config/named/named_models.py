"""The models that settings name: each field with a neighbour that pins the digest of its bundle."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from seq2seq_core.config.section import Section

Kind = TypeVar("Kind", bound=Section)
DIGEST_FIELDS = {"initial_weights": "initial_digest"}
"""Fields of digests that are not called ``FIELD_digest``."""


class NamedModel(NamedTuple):
    """A model that a setting names.

    Attributes:
        setting: where, such as ``prepare.distill.teacher``.
        reference: ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``, ``runs:/RUN/PATH`` or a folder.
        digest: the digest that its bundle must have; empty: any.
    """

    setting: str
    reference: str
    digest: str


def with_references(section: Kind, setting: str, change: Callable[[NamedModel], str]) -> Kind:
    """The section with another reference for each model that it, or a section in it, names.

    Args:
        section: any.
        setting: its name in the file.
        change: gives the reference.
    """
    found: dict[str, object] = {}
    fields = type(section).model_fields
    for name in fields:
        value, place, digest = getattr(section, name), f"{setting}.{name}", DIGEST_FIELDS.get(name, f"{name}_digest")
        if isinstance(value, Section):
            found[name] = with_references(value, place, change)
        elif isinstance(value, list) and value and isinstance(value[0], Section):
            found[name] = [with_references(one, f"{place}.{number}", change) for number, one in enumerate(value)]
        elif value and digest in fields:
            found[name] = change(NamedModel(place, value, getattr(section, digest)))
    return section.model_copy(update=found)
