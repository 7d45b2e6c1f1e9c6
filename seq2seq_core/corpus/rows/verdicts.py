"""The verdicts: which rows of a split break which contract, found by SQL over the rows, in one table for all contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from seq2seq_core.config.validate import ValidateSection
from seq2seq_core.corpus.contracts import COMPARED_SPLITS, FILES_USABLE, LENGTH_RATIO, OTHER_LANGUAGE, Contract, is_monolingual
from seq2seq_core.corpus.file_faults.text_faults import CONTROL_CHARACTER, MOJIBAKE
from seq2seq_core.corpus.rows.row_results import iterate_results, make_table
from seq2seq_core.corpus.rows.row_store import RowStore, identifier, literal, rows_table, view_name
from seq2seq_core.corpus.rows.side_languages import find_other_languages
from seq2seq_core.corpus.rows.text_macros import create_macros, expression
from seq2seq_core.corpus.rows.usual_scripts import find_usual_scripts, mostly_unusual, unusual_letter
from seq2seq_core.corpus.rows.verdict_messages import Offender, describe_offender
from seq2seq_core.mending.rules.invisible_characters import INVISIBLE_CHARACTER

TEXT_CONDITIONS = {
    "control_characters": "has_control_character",
    "mojibake": "has_mojibake",
    "quoted_cells": "is_quoted_cell",
    "empty": "is_blank",
    "invisible_characters": "has_invisible_character",
    "escaped_text": "has_escape",
    "html_tags": "has_html_tag",
    "repeated_ngrams": "is_repetitive",
}
"""By contract: the macro that is true of a text that breaks it."""
SUSPECT = "|".join((CONTROL_CHARACTER.pattern, MOJIBAKE.pattern, INVISIBLE_CHARACTER.pattern, "[&@<\u2581]"))
"""Matches each text that may break a contract of :data:`SUSPICIONS`: most of the cost of an expression is its call."""
SUSPICIONS = ("control_characters", "mojibake", "invisible_characters", "escaped_text", "html_tags", "unexpected_script")
REPEATED = ("duplicate_pairs", "conflicting_targets")
"""Contracts that compare a row with those before it: rows that are added change no verdict on the earlier ones."""
PAIR_CONDITIONS = {"numbers_differ": "numbers_differ", "urls_differ": "addresses_differ"}
"""By contract: the macro that is true of a source and a target that break it."""


class Verdicts:
    """The table ``verdicts`` of a store: contract, position of the row, and the earlier row that it is like.

    Args:
        store: the rows; their splits are all loaded.
        section: bounds and severities.
        input_columns: columns that are part of the model's input, besides the source.
    """

    def __init__(self, store: RowStore, section: ValidateSection, input_columns: Sequence[str] = ()) -> None:
        self.store, self.section, self.input_columns = store, section, tuple(input_columns)
        self._keyed: set[str] = set()
        self._scripts: dict[tuple[str, str], list[str]] = {}
        create_macros(store)
        store.connection.execute(
            "CREATE TABLE IF NOT EXISTS verdicts "
            "(split VARCHAR, contract VARCHAR, position BIGINT, other_split VARCHAR, other BIGINT)"
        )
        store.connection.execute("CREATE TABLE IF NOT EXISTS verdicts_by_script (split VARCHAR, usual VARCHAR)")
        store.connection.execute("CREATE TABLE guarded (key UHUGEINT, other_split VARCHAR, other BIGINT, place BIGINT)")

    def guard_texts(self, split: str) -> None:
        """Both sides of a split's rows are texts that monolingual sentences must not be.

        Args:
            split: ``dev`` or ``test``.
        """
        for side in ("source", "target"):
            self.store.connection.execute(
                f"INSERT INTO guarded SELECT md5_number(exact_form({side})), {literal(split)}, position, "
                f"position + (SELECT coalesce(max(place) + 1, 0) FROM guarded WHERE other_split <> {literal(split)}) "
                f"FROM {rows_table(split)}"
            )

    def judge(self, split: str, contracts: Sequence[Contract], languages: Mapping[str, str] | None = None) -> None:
        """Adds the verdicts on a split.

        Args:
            split: its name.
            contracts: of the split; those about leakage need the rows of the split that they compare with.
            languages: the SQL of the languages of its sides; ``other_language`` needs them.
        """
        names = [contract.name for contract in contracts]
        self._judge_texts(split, names)
        for contract in (contract for contract in contracts if contract.name == OTHER_LANGUAGE):
            self._add(split, OTHER_LANGUAGE, find_other_languages(self.store, split, languages or {}, contract.most_rows))
        first = self.store.known.get(split, 0)
        repeated: dict[str, Callable[[str], str]] = {
            "duplicate_pairs": partial(_duplicates, first=first),
            "conflicting_targets": partial(_conflicts, first=first),
            "monolingual_leakage": _guarded,
        }
        repeated |= {name: partial(_leaks, other=other) for name, other in COMPARED_SPLITS.items()}
        for name in (name for name in names if name in repeated):
            self._number_keys(split)
            if name in COMPARED_SPLITS:
                self._number_keys(COMPARED_SPLITS[name])
            self.store.connection.execute(
                f"INSERT INTO verdicts SELECT {literal(split)}, {literal(name)}, position, other_split, other "
                f"FROM ({repeated[name](split)})"
            )

    def offenders(self, split: str, contract: str, most: int, after: int = -1) -> list[tuple[int, Offender, str]]:
        """The first offenders of a contract: the position of each, the row, and ``file:line: what``.

        Args:
            split: its name.
            contract: its name.
            most: number of offenders.
            after: the position after which they are looked for.
        """
        first = "SELECT * FROM verdicts WHERE split = ? AND contract = ? AND position > ? ORDER BY position LIMIT ?"
        found = self.store.fetch(first, (split, contract, after, most))
        rows = self._rows(split, [position for _, _, position, _, _ in found])
        places = dict[tuple[str | None, int | None], str]()
        for name in {name for *_, name, _ in found if name}:
            earlier = self._rows(name, [other for *_, split_of_other, other in found if split_of_other == name])
            places |= {(name, position): f"{file}:{line}" for position, (file, line, *_) in earlier.items()}
        is_text, described = is_monolingual(split), list[tuple[int, Offender, str]]()
        for _, _, position, name, other in found:
            file, line, source, target, fault = rows[position]
            offender = Offender(is_text, file, line, source, target, fault, places.get((name, other), ""))
            described.append((position, offender, describe_offender(self.section, contract, offender)))
        return described

    def _add(self, split: str, contract: str, positions: list[int]) -> None:
        """Adds verdicts that no SQL finds."""
        import pyarrow

        self.store.connection.register("found", pyarrow.table({"position": pyarrow.array(positions, pyarrow.int64())}))
        self.store.connection.execute(
            f"INSERT INTO verdicts SELECT {literal(split)}, {literal(contract)}, position, NULL, NULL FROM found"
        )
        self.store.connection.unregister("found")

    def _rows(self, split: str, positions: Sequence[int]) -> dict[int, tuple[Any, ...]]:
        """File, line, source, target and fault of some rows."""
        columns = "position, file, line, source, coalesce(target, source), fault"
        listed = ", ".join(map(str, positions))
        found = self.store.fetch(f"SELECT {columns} FROM {rows_table(split)} WHERE position IN ({listed})") if positions else []
        return {position: tuple(row) for position, *row in found}

    def _judge_texts(self, split: str, names: Sequence[str]) -> None:
        """The verdicts that look at one row alone, in one pass."""
        conditions = {name: condition for name in names if (condition := self._condition(split, name))}
        first = self._keep_verdicts(split, list(conditions))
        if not conditions:
            return
        cases = [f"CASE WHEN {condition} THEN {literal(name)} END" for name, condition in conditions.items()]
        checked = [condition for name, condition in conditions.items() if name not in SUSPICIONS]
        if len(checked) < len(conditions):
            checked += [self._suspicion(split, side) for side in sides_of(split)]
        anything = " OR ".join(f"({condition})" for condition in checked)

        def broken(rows: str) -> str:
            found = f"SELECT position, unnest([{', '.join(cases)}]) AS contract FROM {rows} WHERE {anything}"
            return f"SELECT * FROM ({found}) WHERE contract IS NOT NULL"

        for result in iterate_results(self.store, split, broken, first):
            self.store.connection.execute(
                f"INSERT INTO verdicts SELECT {literal(split)}, contract, position, NULL, NULL FROM ({result})"
            )

    def _keep_verdicts(self, split: str, names: Sequence[str]) -> int:
        """Removes the verdicts of an earlier run that more rows may change; returns the position of the first row to judge.

        Args:
            split: its name.
            names: the contracts that look at one row alone. What they say of a text depends on the usual scripts besides.
        """
        store, usual = self.store, repr([self._usual_scripts(split, side) for side in sides_of(split)])
        is_kept = bool(store.fetch("SELECT 1 FROM verdicts_by_script WHERE split = ? AND usual = ?", (split, usual)))
        store.fetch("DELETE FROM verdicts_by_script WHERE split = ?", (split,))
        store.fetch("INSERT INTO verdicts_by_script VALUES (?, ?)", (split, usual))
        lasting = ", ".join(map(literal, ["", *(REPEATED if split in store.known else ()), *(names if is_kept else ())]))
        store.fetch(f"DELETE FROM verdicts WHERE split = ? AND contract NOT IN ({lasting})", (split,))
        return store.known.get(split, 0) if is_kept else 0

    def _condition(self, split: str, name: str) -> str:
        """When a row breaks a contract by itself; empty: the contract is of another kind."""
        sides = sides_of(split)
        if name in TEXT_CONDITIONS:
            return " OR ".join(f"{TEXT_CONDITIONS[name]}({side})" for side in sides)
        if name in PAIR_CONDITIONS:
            return f"{PAIR_CONDITIONS[name]}(source, target)"
        if name == "untranslated":
            return "source = target AND NOT is_blank(source)"
        if name == "unexpected_script":
            return " OR ".join(mostly_unusual(side, usual) for side in sides if (usual := self._usual_scripts(split, side)))
        if name == "max_characters":
            return " OR ".join(f"length({side}) > {self.section.max_characters.limit}" for side in sides)
        if name == LENGTH_RATIO:
            shorter, longer = ("least(length(source), length(target))", "greatest(length(source), length(target))")
            return f"{shorter} > 0 AND {longer} > {self.section.length_ratio.limit!r}::DOUBLE * {shorter}"
        return "fault IS NOT NULL" if name in FILES_USABLE else ""

    def _suspicion(self, split: str, side: str) -> str:
        """When a text may break one of :data:`SUSPICIONS`."""
        usual = self._usual_scripts(split, side)
        other_letter = f" || {literal('|' + unusual_letter(usual))}" if usual else ""
        return f"regexp_matches({side}, {expression(SUSPECT)}{other_letter})"

    def _usual_scripts(self, split: str, side: str) -> list[str]:
        """The scripts of a side in train; empty: they cannot be told."""
        usual = "train" if "train" in self.store.counts and not is_monolingual(split) else split
        if (usual, side) not in self._scripts:
            self._scripts[usual, side] = find_usual_scripts(self.store, usual, side)
        return self._scripts[usual, side]

    def _number_keys(self, split: str) -> None:
        """Makes the table of a split's keys: equal pairs, sources and targets have equal ones."""
        if split in self._keyed:
            return
        self._keyed.add(split)
        asked = () if is_monolingual(split) else self.input_columns
        known = [self.store.column(split, name) if name in self.store.columns[split] else "NULL" for name in asked]
        inputs = "".join(f" || chr(0) || coalesce({column}, '')" for column in known)
        make_table(
            self.store,
            _key_table(split),
            split,
            lambda rows: (
                "SELECT position, "
                f"md5_number(coalesce(identity, source) || chr(0) || coalesce(target, ''){inputs}) AS pair, "
                f"md5_number(exact_form(coalesce(identity, source)){inputs}) AS source, "
                f"md5_number(exact_form(coalesce(target, ''))) AS target FROM {rows}"
            ),
        )


def sides_of(split: str) -> tuple[str, ...]:
    """The columns of a split's texts."""
    return ("source",) if is_monolingual(split) else ("source", "target")


def _key_table(split: str) -> str:
    return f"keys.{view_name(split)}"


def _keys(split: str) -> str:
    return identifier(_key_table(split))


def _duplicates(split: str, first: int) -> str:
    """The rows from a position on that repeat an earlier pair."""
    among = _shared_with_new(split, "pair", first)
    groups = f"SELECT pair, min(position) AS other FROM {_keys(split)} {among} GROUP BY pair HAVING count(*) > 1"
    return (
        f"SELECT position, {literal(split)} AS other_split, other FROM {_keys(split)} JOIN ({groups}) USING (pair) "
        f"WHERE position <> other AND position >= {first}"
    )


def _conflicts(split: str, first: int) -> str:
    """The rows from a position on with another target than the first row of their source."""
    groups = (
        f"SELECT source, min(position) AS other, arg_min(target, position) AS first_target FROM {_keys(split)} "
        f"{_shared_with_new(split, 'source', first)} GROUP BY source HAVING min(target) <> max(target)"
    )
    return (
        f"SELECT position, {literal(split)} AS other_split, other FROM {_keys(split)} JOIN ({groups}) USING (source) "
        f"WHERE target <> first_target AND position >= {first}"
    )


def _shared_with_new(split: str, key: str, first: int) -> str:
    """The condition that a row has a key of the rows from a position on: only their groups need be looked at."""
    return f"WHERE {key} IN (SELECT {key} FROM {_keys(split)} WHERE position >= {first})" if first else ""


def _leaks(split: str, other: str) -> str:
    first = (
        f"SELECT source, min(position) AS other FROM {_keys(other)} "
        f"WHERE source IN (SELECT source FROM {_keys(split)}) GROUP BY source"
    )
    return f"SELECT k.position, {literal(other)} AS other_split, other FROM {_keys(split)} k JOIN ({first}) USING (source)"


def _guarded(split: str) -> str:
    first = (
        "SELECT key AS source, arg_min(other_split, place) AS other_split, arg_min(other, place) AS other FROM guarded GROUP BY key"
    )
    return f"SELECT k.position, other_split, other FROM {_keys(split)} k JOIN ({first}) USING (source)"
