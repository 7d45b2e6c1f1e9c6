"""The texts of rows in SQL: as they were read, and in normal form."""

from __future__ import annotations

from typing import Literal

SourceKind = Literal["text", "recording", "sentence"]
"""The source is a text, or the name of a recording; or the row is a sentence, whose two sides are one text."""


def texts_of(rows: str, kind: SourceKind) -> str:
    """A query of all columns of some rows, and their texts in normal form.

    ``raw_source`` and ``raw_target`` are as they were read, ``source`` and ``target`` in normal form. ``identity`` is the key of
    the source: its text, or the digest of the recording. ``rule_source`` is the text that rules look at on that side.
    ``changed_by_whitespace`` and ``changed_by_unicode_normalization`` say whether the setting changed a text.

    Each step is a query of its own, so that no expression is computed twice.

    Args:
        rows: a query of rows of a split's table.
        kind: what the sources are.
    """
    raw = (
        "SELECT * EXCLUDE (source, target, identity), source AS raw_source, coalesce(target, source) AS raw_target, "
        f"identity AS recording FROM ({rows})"
    )
    composed = _changed(raw, "unicode_form", "raw", "composed", kind)
    spaced = _changed(composed, "white_space_form", "composed", "spaced", kind)
    identity, rule_source = ("recording", "spaced_target") if kind == "recording" else ("spaced_source", "spaced_source")
    changes = ", ".join(
        f"{after}_source <> {before}_source OR {after}_target <> {before}_target AS changed_by_{setting}"
        for setting, before, after in (("unicode_normalization", "raw", "composed"), ("whitespace", "composed", "spaced"))
    )
    named = f"spaced_source AS source, spaced_target AS target, {identity} AS identity, {rule_source} AS rule_source"
    return f"(SELECT *, {named}, {changes} FROM ({spaced}))"


def _changed(rows: str, macro: str, before: str, after: str, kind: SourceKind) -> str:
    """Applies a macro to both sides."""
    source = f"{before}_source" if kind == "recording" else f"{macro}({before}_source)"
    first = f"SELECT *, {source} AS {after}_source FROM ({rows})"
    target = f"{after}_source" if kind == "sentence" else f"{macro}({before}_target)"
    return f"SELECT *, {target} AS {after}_target FROM ({first})"
