"""The message of a row that breaks a contract: its place, and what is wrong with it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from seq2seq_core.config.validate import ValidateSection
from seq2seq_core.corpus.contracts import COMPARED_SPLITS
from seq2seq_core.corpus.file_faults.pair_differences import addresses_of, numbers_of
from seq2seq_core.corpus.file_faults.text_faults import CONTROL_CHARACTER, find_mojibake, is_quoted_cell, quote
from seq2seq_core.corpus.file_faults.text_noise import ESCAPE, HTML_TAG, is_repetitive, name_invisible
from seq2seq_core.corpus.language_identification import identify
from seq2seq_core.mending.rules.invisible_characters import INVISIBLE_CHARACTER
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
        fault: what is wrong with its recording or picture; None: nothing.
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
    return f"{row.file}:{row.line}: {_DESCRIPTIONS[contract](section, row)}"


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


def _describe_invisible_character(_: ValidateSection, row: Offender) -> str:
    side, text, found = next((side, text, found) for side, text in row.sides if (found := INVISIBLE_CHARACTER.search(text)))
    return f"{name_invisible(found)} in the {side}: {quote(text, found.start())}"


def _describe_match(_: ValidateSection, row: Offender, pattern: re.Pattern[str]) -> str:
    side, text, found = next((side, text, found) for side, text in row.sides if (found := pattern.search(text)))
    return f"{quote(found[0], width=30)} in the {side}: {quote(text, found.start())}"


def _describe_repetition(_: ValidateSection, row: Offender) -> str:
    side, text = next((side, text) for side, text in row.sides if is_repetitive(text))
    return f"the {side}: {quote(text)}"


def _listed(find: Callable[[str], list[str]], row: Offender) -> str:
    """What is found in each side."""
    source, target = (quote(", ".join(find(text)), width=40) if find(text) else "none" for _, text in row.sides)
    return f"{source} → {target}"


def _describe_scripts(_: ValidateSection, row: Offender) -> str:
    return ", ".join(f"{side} in {_main_script(text)}: {quote(text, width=40)}" for side, text in row.sides)


def _describe_languages(_: ValidateSection, row: Offender) -> str:
    return ", ".join(f"{side} in {identify(text) or 'no sure language'}: {quote(text, width=40)}" for side, text in row.sides)


def _main_script(text: str) -> str:
    """The script of most letters, by the first word of their names in Unicode; it may be a part of a script's name."""
    names = (unicodedata.name(character, "?") for character in text if character.isalpha())
    scripts = Counter(name.partition(" ")[0].capitalize() for name in names)
    return scripts.most_common(1)[0][0] if scripts else "no script"


_Describe = Callable[[ValidateSection, Offender], str]
_DESCRIPTIONS: dict[str, _Describe] = {
    "empty": _describe_empty,
    "max_characters": _describe_size,
    "length_ratio": _describe_ratio,
    "control_characters": _describe_control_character,
    "mojibake": _describe_mojibake,
    "quoted_cells": _describe_quoted_cell,
    "untranslated": lambda _, row: quote(row.source),
    "invisible_characters": _describe_invisible_character,
    "escaped_text": partial(_describe_match, pattern=ESCAPE),
    "html_tags": partial(_describe_match, pattern=HTML_TAG),
    "numbers_differ": lambda _, row: f"{_listed(numbers_of, row)}: {row.quoted}",
    "urls_differ": lambda _, row: _listed(addresses_of, row),
    "repeated_ngrams": _describe_repetition,
    "unexpected_script": _describe_scripts,
    "other_language": _describe_languages,
    "duplicate_pairs": lambda _, row: f"repeats {row.earlier}: {quote(row.source) if row.is_monolingual else row.quoted}",
    "conflicting_targets": lambda _, row: f"another target at {row.earlier}: {row.quoted}",
    **dict.fromkeys((*COMPARED_SPLITS, "monolingual_leakage"), lambda _, row: f"also {row.earlier}: {quote(row.source)}"),
    "recordings": lambda _, row: f"{quote(row.source)}: {row.fault}",
    "pictures": lambda _, row: f"{quote(row.source)}: {row.fault}",
}
