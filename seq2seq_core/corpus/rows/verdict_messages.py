"""The message of a row that breaks a contract: its place, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from seq2seq_core.config.validate import ValidateSection
from seq2seq_core.corpus.file_faults.text_faults import CONTROL_CHARACTER, find_mojibake, is_quoted_cell, quote
from seq2seq_core.normal_form import is_blank


@dataclass(frozen=True)
class Offender:
    """A row that breaks a contract.

    Attributes:
        is_monolingual: whether it is a sentence, whose two sides are one text.
        file: name of its file.
        line: its number there.
        source: its source.
        target: its target.
        fault: what is wrong with its recording; None: nothing.
        earlier: ``file:line`` of the row that it is like; empty: there is none.
    """

    is_monolingual: bool
    file: str
    line: int
    source: str
    target: str
    fault: str | None
    earlier: str

    @property
    def sides(self) -> Iterator[tuple[str, str]]:
        """Its texts, each with the name of its side."""
        if self.is_monolingual:
            yield "text", self.source
            return
        yield "source", self.source
        yield "target", self.target

    @property
    def quoted(self) -> str:
        """Both sides."""
        return f"{quote(self.source, width=40)} → {quote(self.target, width=40)}"


def describe_offender(section: ValidateSection, contract: str, row: Offender) -> str:
    """The message ``file:line: what``.

    Args:
        section: bounds.
        contract: the name of the contract that the row breaks.
        row: the row.
    """
    describe = _LEAKAGE if contract.endswith("_leakage") else _DESCRIPTIONS[contract]
    return f"{row.file}:{row.line}: {describe(section, row)}"


def _describe_empty(_: ValidateSection, row: Offender) -> str:
    if row.is_monolingual:
        return "empty"
    if not is_blank(row.source):
        return f"empty target, source {quote(row.source)}"
    return "empty source and target" if is_blank(row.target) else f"empty source, target {quote(row.target)}"


def _describe_size(section: ValidateSection, row: Offender) -> str:
    side, text = next((side, text) for side, text in row.sides if len(text) > section.max_characters.limit)
    return f"{side} of {len(text)} characters: {quote(text)}"


def _describe_ratio(_: ValidateSection, row: Offender) -> str:
    shorter, longer = sorted((len(row.source), len(row.target)))
    return f"ratio {longer / shorter:.1f} ({len(row.source)} : {len(row.target)} characters): {row.quoted}"


def _describe_control_character(_: ValidateSection, row: Offender) -> str:
    side, text, found = next((side, text, found) for side, text in row.sides if (found := CONTROL_CHARACTER.search(text)))
    return f"U+{ord(found[0]):04X} in the {side}: {quote(text, found.start())}"


def _describe_mojibake(_: ValidateSection, row: Offender) -> str:
    side, text, position = next((side, text, place) for side, text in row.sides if (place := find_mojibake(text)) >= 0)
    return f"in the {side}: {quote(text, position)}"


def _describe_quoted_cell(_: ValidateSection, row: Offender) -> str:
    side, text = next((side, text) for side, text in row.sides if is_quoted_cell(text))
    return f"the {side}: {quote(text)}"


_Describe = Callable[[ValidateSection, Offender], str]
_LEAKAGE: _Describe = lambda _, row: f"also {row.earlier}: {quote(row.source)}"  # noqa: E731
_DESCRIPTIONS: dict[str, _Describe] = {
    "empty": _describe_empty,
    "max_characters": _describe_size,
    "length_ratio": _describe_ratio,
    "control_characters": _describe_control_character,
    "mojibake": _describe_mojibake,
    "quoted_cells": _describe_quoted_cell,
    "duplicate_pairs": lambda _, row: f"repeats {row.earlier}: {quote(row.source) if row.is_monolingual else row.quoted}",
    "conflicting_targets": lambda _, row: f"another target at {row.earlier}: {row.quoted}",
    "recordings": lambda _, row: f"{quote(row.source)}: {row.fault}",
}
