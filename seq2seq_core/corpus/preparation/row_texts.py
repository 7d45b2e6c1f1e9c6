"""The texts of rows in SQL: as they were read, and in normal form."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

RowKind = Literal["text", "file", "sentence", "spoken"]
"""The source is a text, or the name of a recording or picture; or the row is a sentence, whose two sides are one text; or its
target names a recording that says the source: both sides are then the text that is said."""


def texts_of(rows: str, kind: RowKind, mend: Sequence[str] = ()) -> str:
    """A query of all columns of some rows, and their texts in normal form.

    ``raw_source`` and ``raw_target`` are as they were read, ``source`` and ``target`` in normal form. ``identity`` is the key of
    the source: its text, or the digest of the file. ``rule_source`` is the text that rules look at on that side.
    ``changed_by_whitespace``, ``changed_by_unicode_normalization`` and ``changed_by_`` of each mending rule say whether it changed
    the row.

    Each step is a query of its own, so that no expression is computed twice.

    Args:
        rows: a query of rows of a split's table.
        kind: what the sources are.
        mend: names of the mending rules, in order.
    """
    raw_target = "source AS raw_target, target AS recording_name" if kind == "spoken" else "coalesce(target, source) AS raw_target"
    query = (
        f"SELECT * EXCLUDE (source, target, identity), source AS raw_source, {raw_target}, identity AS file_digest FROM ({rows})"
    )
    macros = {
        **{name: f"mended_by_{name}" for name in mend},
        "unicode_normalization": "unicode_form",
        "whitespace": "white_space_form",
    }
    states = ["raw", *(f"after_{name}" for name in macros)]
    for macro, (before, after) in zip(macros.values(), pairwise(states), strict=True):
        query = _changed(query, macro, before, after, kind)
    changes = ", ".join(
        f"{after}_source <> {before}_source OR {after}_target <> {before}_target AS changed_by_{name}"
        for name, (before, after) in zip(macros, pairwise(states), strict=True)
    )
    last = states[-1]
    if mend:
        query, last = _settle(query, last, kind), "settled"
    identity, rule_source = ("file_digest", f"{last}_target") if kind == "file" else (f"{last}_source", f"{last}_source")
    if kind == "spoken":
        identity = "file_digest"
    named = f"{last}_source AS source, {last}_target AS target, {identity} AS identity, {rule_source} AS rule_source"
    return f"(SELECT *, {named}, {changes} FROM ({query}))"


def _settle(rows: str, before: str, kind: RowKind) -> str:
    """Tries the whole normal form again on the texts that a step changed."""
    texts = {
        side: f"CASE WHEN {before}_{side} <> raw_{side} THEN python_normal_form({before}_{side}) ELSE {before}_{side} END"
        for side in ("source", "target")
    }
    if kind == "file":
        texts["source"] = f"{before}_source"
    return f"SELECT *, {texts['source']} AS settled_source, {texts['target']} AS settled_target FROM ({rows})"


def _changed(rows: str, macro: str, before: str, after: str, kind: RowKind) -> str:
    """Applies a macro to both sides."""
    source = f"{before}_source" if kind == "file" else f"{macro}({before}_source)"
    first = f"SELECT *, {source} AS {after}_source FROM ({rows})"
    target = f"{after}_source" if kind in ("sentence", "spoken") else f"{macro}({before}_target)"
    return f"SELECT *, {target} AS {after}_target FROM ({first})"
