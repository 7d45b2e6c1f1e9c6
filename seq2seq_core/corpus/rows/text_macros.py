"""Facts about texts in DuckDB's SQL, the same as Python's functions tell them: macros that verdicts and views use."""

from __future__ import annotations

from collections.abc import Mapping

from seq2seq_core.corpus.file_faults.pair_differences import ADDRESS, ASCII_DIGITS, DIGITS, NUMBER
from seq2seq_core.corpus.file_faults.text_faults import CONTROL_CHARACTER, MOJIBAKE
from seq2seq_core.corpus.file_faults.text_noise import ESCAPE, HTML_TAG, LEAST_UNITS, MOST_CHARACTERS
from seq2seq_core.corpus.rows.row_store import RowStore, literal
from seq2seq_core.mending.rules.invisible_characters import INVISIBLE_CHARACTER
from seq2seq_core.normal_form import BLANK_CHARACTERS, WHITE_SPACE

NORMAL_CHARACTERS = (
    "\u0001-\u02ff\u0400-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u3001-\u3029"
    "\u3041-\u3096\u30a1-\u30fe\u4e00-\u9fff\uac00-\ud7a3"
)
"""Characters of which every text is in NFC, as ranges: they are in NFC themselves and compose with no character before them."""
SHOWN_CHARACTERS = 40
_UNUSED = 0x10FFFF


def expression(pattern: str) -> str:
    """A regular expression as a literal of SQL, with escapes for all that is not printable ASCII.

    Args:
        pattern: of Python's ``re``, in the syntax that RE2 shares.
    """
    return literal("".join(character if " " <= character <= "~" else f"\\x{{{ord(character):x}}}" for character in pattern))


_ODD_SPACE = expression(f"^ | $|  |[{WHITE_SPACE.replace(' ', '')}]")
"""Where a text's white space is not single spaces between words."""

MACROS = {
    "is_blank(text)": f"NOT regexp_matches(text, {expression(f'[^{BLANK_CHARACTERS}]')})",
    "single_spaced(text)": f"""CASE WHEN regexp_matches(text, {_ODD_SPACE})
        THEN trim(regexp_replace(text, {expression(f"[{WHITE_SPACE}]+")}, ' ', 'g'), ' ') ELSE text END""",
    # DuckDB's normalisation takes ten times as long as the look whether it is needed, and ends at a NUL character.
    "exact_form(text)": f"""CASE WHEN regexp_matches(text, {expression(f"[^{NORMAL_CHARACTERS}]")})
        THEN replace(nfc_normalize(replace(single_spaced(text), chr(0), chr({_UNUSED}))), chr({_UNUSED}), chr(0))
        ELSE single_spaced(text) END""",
    "has_control_character(text)": f"regexp_matches(text, {expression(CONTROL_CHARACTER.pattern)})",
    "has_mojibake(text)": f"strlen(text) > length(text) AND regexp_matches(text, {expression(MOJIBAKE.pattern)})",
    "is_quoted_cell(text)": """starts_with(text, '"') AND length(text) >= 4 AND ends_with(text, '"')
        AND contains(substr(text, 2, length(text) - 2), '""')
        AND NOT contains(replace(substr(text, 2, length(text) - 2), '""', ''), '"')""",
    "has_invisible_character(text)": f"""strlen(text) > length(text)
        AND regexp_matches(text, {expression(INVISIBLE_CHARACTER.pattern)})""",
    "has_escape(text)": f"""(contains(text, '&') OR contains(text, '@') OR contains(text, chr({0x2581})))
        AND regexp_matches(text, {expression(ESCAPE.pattern)})""",
    "has_html_tag(text)": f"contains(text, '<') AND regexp_matches(text, {expression(HTML_TAG.pattern)})",
    # A lambda that names the list would be given a copy of it for each element.
    "bigrams_of(units)": "list_transform(list_zip(units[:-2], units[2:]), lambda pair: pair[1] || chr(0) || pair[2])",
    # Fewer different bigrams than half of all mean fewer different words than half of all, which is quicker to tell. What CASE does
    # not reach is not computed; both sides of AND are, except at the top of WHERE.
    "mostly_repeats(units)": """CASE WHEN 2 * list_unique(units) > length(units) THEN false
        ELSE 2 * list_unique(bigrams_of(units)) < length(units) - 1 END""",
    # The list of a text's characters takes a hundred times its memory, beyond the limit of the database.
    "is_repetitive(text)": f"""CASE WHEN length(text) > {MOST_CHARACTERS} THEN repeats_itself(left(text, {MOST_CHARACTERS}))
        ELSE repeats_itself(text) END""",
    "repeats_itself(text)": f"""CASE WHEN length(text) < {LEAST_UNITS} THEN false
        WHEN NOT contains(text, ' ') THEN mostly_repeats(regexp_extract_all(text, '(?s).'))
        WHEN length(text) - length(replace(text, ' ', '')) < {LEAST_UNITS - 1} THEN false
        ELSE mostly_repeats(string_split(text, ' ')) END""",
    "with_ascii_digits(text)": f"""CASE WHEN strlen(text) = length(text) THEN text
        WHEN regexp_matches(text, {expression(f"[{DIGITS}]")}) THEN translate(text, {literal(DIGITS)}, {literal(ASCII_DIGITS)})
        ELSE text END""",
    "digits_of(text)": "regexp_replace(with_ascii_digits(text), '[^0-9]+', '', 'g')",
    "numbers_of(text)": f"""list_sort(list_transform(regexp_extract_all(with_ascii_digits(text), {expression(NUMBER.pattern)}),
        lambda number: replace(replace(number, '.', ''), ',', '')))""",
    "digit_runs(text)": r"regexp_extract_all(text, '\p{Nd}+')",
    "numbers_differ(one, other)": r"""CASE WHEN NOT (regexp_matches(one, '\p{Nd}') OR regexp_matches(other, '\p{Nd}')) THEN false
        WHEN digit_runs(one) = digit_runs(other) THEN false
        WHEN digits_of(one) = digits_of(other) THEN false
        ELSE numbers_of(one) <> numbers_of(other) END""",
    "has_address(text)": "contains(text, '://') OR contains(text, 'www.')",
    "addresses_of(text)": f"list_sort(regexp_extract_all(text, {expression(ADDRESS.pattern)}))",
    "addresses_differ(one, other)": """CASE WHEN has_address(one) OR has_address(other)
        THEN addresses_of(one) <> addresses_of(other) ELSE false END""",
    "shown_character(c)": r"""CASE WHEN NOT regexp_matches(c, '[\p{C}\p{Z}]') OR c = ' ' THEN c
        WHEN c = chr(9) THEN '\t' WHEN c = chr(10) THEN '\n' WHEN c = chr(13) THEN '\r'
        WHEN unicode(c) < 256 THEN printf('\x%02x', unicode(c)) WHEN unicode(c) < 65536 THEN printf('\u%04x', unicode(c))
        ELSE printf('\U%08x', unicode(c)) END""",
    "shown(text)": f"""'"' || array_to_string(list_transform(regexp_extract_all(left(text, {SHOWN_CHARACTERS}), '(?s).'),
        lambda c: shown_character(c)), '') || CASE WHEN length(text) > {SHOWN_CHARACTERS} THEN '…"' ELSE '"' END""",
}
"""By head: the expression. ``shown`` is a text as messages quote it."""


def create_macros(store: RowStore) -> None:
    """Makes the macros in a store's database.

    Args:
        store: the database.
    """
    add_macros(store, MACROS)


def add_macros(store: RowStore, macros: Mapping[str, str]) -> None:
    """Makes macros in one transaction: with one for each it takes twice as long.

    Args:
        store: the database.
        macros: by head, such as ``key(text)``: the expression.
    """
    made = "".join(f"CREATE MACRO {head} AS ({body});" for head, body in macros.items())
    store.define_macros(f"BEGIN; {made} COMMIT")
