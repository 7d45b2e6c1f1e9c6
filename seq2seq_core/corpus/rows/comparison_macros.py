"""The normal form of texts, and the forms to compare them by, in DuckDB's SQL: the same as Python's functions give.

Texts of common characters never leave the database. All others go through Python's own functions.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from seq2seq_core.corpus.normalization import normalize_exactly, normalize_nearly
from seq2seq_core.corpus.rows.row_store import RowStore, literal
from seq2seq_core.corpus.rows.text_macros import NORMAL_CHARACTERS, add_macros, create_macros, expression
from seq2seq_core.normal_form import WHITE_SPACE, NormalForm

ALPHABETS = range(0x3400)
"""The characters that are looked at one by one."""
LETTERS = "\\x{3400}-\\x{4dbf}\\x{4e00}-\\x{9fff}\\x{ac00}-\\x{d7a3}"
"""Ideographs and syllables of Hangul: letters that no form changes. All others above :data:`ALPHABETS` are left to Python."""
HANGUL_PARTS = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}
"""Vowels and final consonants that compose with what stands before them."""
COMMON_SEPARATORS = " .,?!'\"-"
"""Removed one by one, which is faster than by a regular expression."""


@lru_cache
def stable_characters() -> tuple[str, ...]:
    """The alphabets' characters of which every text is in NFKC: they are so themselves, and compose with none before them."""
    decomposed = [unicodedata.decomposition(chr(code)).split() for code in ALPHABETS]
    composing = {int(parts[1], 16) for parts in decomposed if len(parts) == 2 and parts[0][0] != "<"} | HANGUL_PARTS
    return tuple(
        character
        for code, character in enumerate(map(chr, ALPHABETS))
        if code not in composing
        and not unicodedata.combining(character)
        and unicodedata.category(character) != "Cn"
        and unicodedata.is_normalized("NFKC", character)
    )


@lru_cache
def foldable_characters() -> tuple[str, ...]:
    """The stable characters that DuckDB's ``lower`` folds as ``str.casefold`` does; of the digits, ASCII's alone."""
    return tuple(
        character
        for character in stable_characters()
        if character.casefold() == character.lower()
        and len(character.lower()) == 1
        and (character.isascii() or unicodedata.category(character) != "Nd")
    )


def character_ranges(characters: Sequence[str]) -> str:
    """The inside of a regular expression's brackets that stands for some characters.

    Args:
        characters: in the order of their codes.
    """
    ranges = list[list[int]]()
    for code in map(ord, characters):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in ranges)


def create_comparison_macros(store: RowStore, form: NormalForm) -> None:
    """Makes the macros in a store's database.

    ``white_space_form`` of ``unicode_form`` of the mended text is the normal form (``mended_by_mojibake`` and such mend;
    ``python_normal_form`` tries it again), ``exact_key`` and ``near_key`` make texts equal that leak each
    other, ``json_text`` is a text in JSON.

    Args:
        store: the database.
        form: the normal form of the texts.
    """
    create_macros(store)
    unicode_form = NormalForm(unicode_normalization=form.unicode_normalization, whitespace="keep")
    rules = dict(form.mending_rules())
    functions: dict[str, Callable[[str], str]] = {
        "python_normal_form": form.apply,
        **{f"mend_{name}": rule.mend for name, rule in rules.items()},
        "python_unicode_form": unicode_form.apply,
        "python_exact_key": normalize_exactly,
        "python_near_key": normalize_nearly,
        "python_json_text": partial(json.dumps, ensure_ascii=False),
    }
    for name, function in functions.items():
        store.add_function(name, function, ["VARCHAR"], "VARCHAR")
    mended = {
        f"mended_by_{name}(text)": f"""CASE WHEN regexp_matches(text, {expression(rule.suspect.pattern)}) THEN mend_{name}(text)
            ELSE text END"""
        for name, rule in rules.items()
    }
    add_macros(store, {**mended, **_macros(form.unicode_normalization, form.whitespace)})


@lru_cache
def _macros(unicode_normalization: str, whitespace: str) -> dict[str, str]:
    """By head: the expression."""
    separators = [character for character in foldable_characters() if unicodedata.category(character)[0] in "PZC"]
    separator, rare = (
        character_ranges(characters)
        for characters in (separators, [character for character in separators if character not in COMMON_SEPARATORS])
    )
    without_common = "lower(text)"
    for character in COMMON_SEPARATORS:
        without_common = f"replace({without_common}, {literal(character)}, '')"
    # Separators between digits stay, and a text of nothing but separators stays whole.
    foldable = character_ranges(foldable_characters()) + LETTERS
    left_to_python = f"'[^{foldable}]|[0-9][{separator}]+[0-9]|^[{separator}]*$'"
    return {
        "unicode_form(text)": _unicode_form(unicode_normalization),
        "white_space_form(text)": _white_space_form(whitespace),
        "near_key(text)": f"""CASE WHEN regexp_matches(text, {left_to_python}) THEN python_near_key(text)
            WHEN regexp_matches(text, '[{rare}]') THEN regexp_replace(lower(text), '[{separator}]+', '', 'g')
            ELSE {without_common} END""",
        "exact_key(text)": f"""CASE WHEN regexp_matches(text, {expression(f"[^{NORMAL_CHARACTERS}]")}) THEN python_exact_key(text)
            ELSE single_spaced(text) END""",
        "json_text(text)": r"""CASE WHEN regexp_matches(text, '[\x00-\x1f]') THEN python_json_text(text)
            ELSE '"' || replace(replace(text, '\', '\\'), '"', '\"') || '"' END""",
    }


def _unicode_form(unicode_normalization: str) -> str:
    if unicode_normalization == "none":
        return "text"
    stable = NORMAL_CHARACTERS if unicode_normalization == "NFC" else character_ranges(stable_characters()) + LETTERS
    return f"CASE WHEN regexp_matches(text, {expression(f'[^{stable}]')}) THEN python_unicode_form(text) ELSE text END"


def _white_space_form(whitespace: str) -> str:
    ends = expression(f"^[{WHITE_SPACE}]|[{WHITE_SPACE}]$")
    strip = expression(f"^[{WHITE_SPACE}]+|[{WHITE_SPACE}]+$")
    return {
        "keep": "text",
        "strip": f"""CASE WHEN is_blank(text) THEN ''
            WHEN regexp_matches(text, {ends}) THEN regexp_replace(text, {strip}, '', 'g') ELSE text END""",
        "collapse": "CASE WHEN is_blank(text) THEN '' ELSE single_spaced(text) END",
    }[whitespace]
