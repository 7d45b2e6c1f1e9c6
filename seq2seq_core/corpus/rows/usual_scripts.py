"""The scripts that each side of a corpus is written in, and the SQL condition of a text that is mostly in another one."""

from __future__ import annotations

from seq2seq_core.corpus.rows.row_store import RowStore, rows_table

SCRIPTS = (
    "Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Han", "Hiragana", "Katakana", "Hangul", "Bengali", "Gurmukhi",
    "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Thai", "Lao", "Tibetan", "Myanmar", "Khmer",
    "Georgian", "Armenian", "Ethiopic", "Mongolian", "Cherokee", "Syriac", "Thaana", "Tifinagh", "Nko", "Yi", "Bopomofo",
    "Canadian_Aboriginal", "Javanese", "Balinese", "Coptic", "Gothic", "Meetei_Mayek", "Ol_Chiki",
)  # fmt: skip
"""The scripts that are told apart, as DuckDB's regular expressions (RE2) name them."""
USUAL_SHARE = 0.05
"""Least share of a side's letters that makes a script usual."""
KNOWN_SHARE = 0.9
"""Least share of a side's letters that must be of :data:`SCRIPTS`; else nothing is told."""
SAMPLED_ROWS, SAMPLED_CHARACTERS = 2000, 200


def find_usual_scripts(store: RowStore, split: str, side: str) -> list[str]:
    """The scripts of a side, the most frequent first, from rows evenly spread; empty: they cannot be told.

    Args:
        store: the rows.
        split: its name.
        side: ``source`` or ``target``.
    """
    step = max(1, store.counts[split] // SAMPLED_ROWS)
    counts = ", ".join(f"coalesce(sum(count) FILTER (regexp_matches(letter, '\\p{{{script}}}')), 0)" for script in SCRIPTS)
    ((total, *found),) = store.fetch(
        f"SELECT coalesce(sum(count), 0), {counts} FROM (SELECT letter, count(*) AS count FROM "
        f"(SELECT unnest(regexp_extract_all(left({side}, {SAMPLED_CHARACTERS}), '\\p{{L}}')) AS letter FROM {rows_table(split)} "
        f"WHERE position % {step} = 0) WHERE NOT regexp_matches(letter, '[\\p{{Common}}\\p{{Inherited}}]') GROUP BY letter)"
    )
    if not total or sum(found) < KNOWN_SHARE * total:
        return []
    usual = [(count, script) for script, count in zip(SCRIPTS, found, strict=True) if count >= USUAL_SHARE * total]
    return [script for _, script in sorted(usual, reverse=True)]


def unusual_letter(scripts: list[str]) -> str:
    """A regular expression of DuckDB's for a letter of other scripts.

    Args:
        scripts: the usual ones, at least one.
    """
    return f"[^\\P{{L}}{_classes(scripts)}]"


def mostly_unusual(side: str, scripts: list[str]) -> str:
    """The condition that most letters of a text are of other scripts.

    Args:
        side: the column.
        scripts: the usual ones, at least one.
    """
    unusual, letters = (
        f"length(regexp_replace({side}, '{others}+', '', 'g'))" for others in (f"[\\P{{L}}{_classes(scripts)}]", "\\P{L}")
    )
    return f"2 * {unusual} > {letters}"


def _classes(scripts: list[str]) -> str:
    return "".join(f"\\p{{{script}}}" for script in (*scripts, "Common", "Inherited"))
