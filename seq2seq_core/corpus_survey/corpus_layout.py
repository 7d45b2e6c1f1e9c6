"""The layout of a corpus: which files are which split, and the section ``corpus`` that reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import SPLITS
from seq2seq_core.corpus.file_faults.text_faults import quote
from seq2seq_core.corpus_survey.column_roles import ColumnRoles, TurnColumns, find_turns
from seq2seq_core.corpus_survey.files.dialects import Dialect
from seq2seq_core.corpus_survey.files.file_names import language_of, language_pair, leaf, split_of
from seq2seq_core.corpus_survey.files.sampled_tables import MAX_ROWS, SampledFile
from seq2seq_core.corpus_survey.layout_settings import describe_roles, format_settings, name_columns, pair_settings, turn_settings
from seq2seq_core.corpus_survey.table_columns import (
    LayoutChoice,
    find_flat_roles,
    find_gaps,
    find_names,
    in_columns,
    unfold_members,
    with_told_columns,
)
from seq2seq_core.corpus_survey.texts.pair_statistics import Pair
from seq2seq_core.errors import UserError
from seq2seq_core.normal_form import is_blank

TOLD_LEAKS = 0.2
"""From this share on, pairs of dev or test that train has are told."""


@dataclass(frozen=True)
class CorpusLayout:
    """How the corpus is read.

    Attributes:
        section: the section ``corpus``, but for its path.
        roles: the columns of the pairs; None where rows are turns.
        turns: the columns of turns; None where rows are pairs.
        pairs: sampled pairs of train.
        columns: the other columns of these pairs, by name, one value a pair; each split has them.
        num_rows: rows by split, of splits with files; estimates unless ``is_whole``.
        is_whole: whether all rows were looked at.
        repeated: share of train rows that repeat an earlier one.
        empty: largest share, of any split, of rows with an empty side.
        findings: what was found, a line each.
        languages: of source and target, where names tell; empty: unknown.
        leaks: share of the pairs of dev, and of test, that are in train too.
        optional: columns that some rows lack, of any split.
    """

    section: dict[str, Any]
    roles: ColumnRoles | None
    turns: TurnColumns | None
    pairs: list[Pair]
    columns: dict[str, list[str]]
    num_rows: dict[str, int]
    is_whole: bool
    repeated: float
    empty: float
    findings: list[str] = field(default_factory=list)
    languages: tuple[str, str] = ("", "")
    leaks: dict[str, float] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()

    @property
    def first_line(self) -> int:
        """The line of the first pair, where each pair is a line of one file of train that was read as a whole; 0: it is not so."""
        files, pairs = self.section["files"]["train"], self.num_rows["train"]
        is_plain = self.section.get("format") == "tsv" or ("format" not in self.section and str(files[0]).endswith(".tsv"))
        is_each = (
            is_plain and self.is_whole and len(files) == 1 and len(self.pairs) == pairs and "comment_prefix" not in self.section
        )
        return (2 if self.section.get("header") else 1) if is_each else 0

    @property
    def speaks(self) -> bool:
        """Whether the targets are recordings."""
        return self.roles is not None and self.roles.task == "synthesis"


def split_files(files: Sequence[SampledFile]) -> tuple[dict[str, list[SampledFile]], list[str]]:
    """The files of each split, and the names of those that are left out.

    Args:
        files: of one layout.
    """
    splits: dict[str, list[SampledFile]] = {split: [] for split in SPLITS}
    unnamed: list[SampledFile] = []
    for file in files:
        split = split_of(file.names[0])
        (unnamed if split is None else splits[split]).append(file)
    if not splits["train"] and not unnamed:
        # Files of dev and test alone: the largest is what there is to learn from.
        largest = max((file for own in splits.values() for file in own), key=lambda file: file.num_rows)
        splits = {split: [file for file in own if file is not largest] for split, own in splits.items()}
        splits["train"] = [largest]
    if not splits["train"]:
        splits["train"], unnamed = unnamed, []
    return splits, [file.name for file in unnamed]


def lay_out_aligned(files: Sequence[SampledFile], sides: tuple[str, str], task: str) -> CorpusLayout:
    """The layout of aligned text files.

    Args:
        files: the pairs of files.
        sides: the words that tell source and target.
        task: the task that these words tell of.
    """
    splits, left_out = split_files(files)
    roles = ColumnRoles(("source", "target"), 0, 1, task, "")
    findings = [
        f"layout: two text files, line by line; source is {sides[0]}, target {sides[1]} "
        f"(the other direction: --source {sides[1]} --target {sides[0]})"
    ]
    section: dict[str, Any] = {"files": {split: [list(file.names) for file in own] for split, own in splits.items() if own}}
    languages = (language_of(sides[0]) or sides[0], language_of(sides[1]) or sides[1]) if task == "translation" else ("", "")
    return _finish(section, roles, None, splits, left_out, findings, languages)


def lay_out_tables(files: Sequence[SampledFile], folder: Path, chosen: LayoutChoice) -> CorpusLayout:
    """The layout of tables, JSON lines or Parquet files.

    Args:
        files: of one dialect.
        folder: the corpus folder, whose name may tell the languages.
        chosen: columns and header that the user chooses.

    Raises:
        UserError: no two columns can be source and target.
    """
    files = unfold_members(with_told_columns(files, chosen), chosen)
    splits, left_out = split_files(files)
    dialect = _common_dialect(files)
    columns = find_names(files, dialect, chosen)
    names, findings = columns.names, [columns.about]
    absent, optional = find_gaps(splits, names)
    splits = {split: [in_columns(file, columns) for file in own] for split, own in splits.items()}
    section = {
        "files": {split: [file.names[0] for file in own] for split, own in splits.items() if own},
        **format_settings(files, dialect),
    }
    if head := next((file.head for file in files if file.head.prefix), None):
        section["comment_prefix"] = head.prefix
        findings.append(head.description)
    turns = find_turns(names) if columns.is_named else None
    if turns is not None and not (chosen.source or chosen.target):
        section |= {**columns.section, "conversations": turn_settings(turns)}
        findings.append(f"columns: turns of conversations ({', '.join(name for name in vars(turns).values() if name)})")
        return _finish(section, None, turns, splits, left_out, findings, ("", ""), names)
    rows = [row for file in splits["train"] for row in file.rows]
    roles = find_flat_roles(files, columns, rows, chosen, folder)
    if columns.is_named:
        section |= columns.section | pair_settings(roles)
    else:
        roles = name_columns(roles, rows)
        section |= {"header": False, "columns": list(roles.names)}
    findings.append(describe_roles(roles, columns.is_named))
    constants = _constants(splits, section)
    if constants:
        findings.append(
            f"languages: {len(constants)} pairs of languages, from the file names (columns source_language, target_language)"
        )
        roles = ColumnRoles(roles.names, roles.source, roles.target, "translation", roles.reason)
    layout = _finish(section, roles, None, splits, left_out, findings, _languages(roles, splits, folder.name), names)
    kept = {name: values for name, values in layout.columns.items() if name not in absent}
    return replace(layout, columns=kept, optional=optional)


def _finish(
    section: dict[str, Any],
    roles: ColumnRoles | None,
    turns: TurnColumns | None,
    splits: dict[str, list[SampledFile]],
    left_out: Sequence[str],
    findings: list[str],
    languages: tuple[str, str],
    names: Sequence[str] = (),
) -> CorpusLayout:
    """The layout with the sampled pairs of train and the findings about files."""
    train = splits["train"]
    num_rows = {split: sum(file.num_rows for file in own) for split, own in splits.items() if own}
    is_whole = all(file.is_whole for own in splits.values() for file in own)
    if not num_rows.get("train"):
        raise UserError(f"{train[0].name if train else 'train'}: expected rows to learn from, got none")
    rows = [(row, file) for file in train for row in file.rows]
    rows = rows[:: -(-len(rows) // MAX_ROWS) or 1]
    columns: dict[str, list[str]] = {}
    if turns is not None:
        place = list(names).index(turns.text)
        places = [place]
        pairs = [(first[0][place], second[0][place]) for first, second in pairwise(rows)]
    else:
        assert roles is not None
        places = [roles.source, roles.target]
        pairs = [(row[roles.source], row[roles.target]) for row, _ in rows]
        columns = {name: [row[place] for row, _ in rows] for place, name in roles.others}
        for name in ("source_language", "target_language"):
            values = [_constant_of(section, file, name) for _, file in rows]
            columns |= {name: values} if any(values) else {}
    findings[:0] = _describe_files(splits, num_rows, is_whole)
    if pairs:
        findings.append(f"first row: {quote(pairs[0][0])} -> {quote(pairs[0][1])}")
    if left_out:
        findings.append(f"left out: {', '.join(left_out[:6])}, whose names tell no split (corpus.files)")
    repeated = max((file.repeated for file in train), default=0.0)
    leaks = _leaks(splits, pairs, places) if turns is None else {}
    for split, share in leaks.items():
        if share >= TOLD_LEAKS:
            findings.append(
                f"leaks: {100 * share:.3g} % of the pairs of {split} are in train too; unless prepare.leakage is keep, prepare "
                "drops them from train"
            )
    empty = max(_empty_share(own, places) for own in splits.values())
    return CorpusLayout(section, roles, turns, pairs, columns, num_rows, is_whole, repeated, empty, findings, languages, leaks)


def _leaks(splits: dict[str, list[SampledFile]], pairs: Sequence[Pair], places: Sequence[int]) -> dict[str, float]:
    """The share of the pairs of dev and of test that are among those of train; sampled, at least so many are."""
    known = set(pairs)
    asked = {split: [row for file in splits[split] for row in file.rows] for split in ("dev", "test")}
    return {
        split: sum((row[places[0]], row[places[1]]) in known for row in rows) / len(rows) for split, rows in asked.items() if rows
    }


def _empty_share(files: Sequence[SampledFile], places: Sequence[int]) -> float:
    """The share of rows of a split with an empty side."""
    rows = [row for file in files for row in file.rows]
    return sum(any(is_blank(row[place]) for place in places) for row in rows) / max(1, len(rows))


def _describe_files(splits: dict[str, list[SampledFile]], num_rows: dict[str, int], is_whole: bool) -> list[str]:
    """The files of each split in words."""
    about = ", ".join(
        f"{split} {' '.join(file.name for file in own[:3])}{' …' if len(own) > 3 else ''} "
        f"({'' if is_whole else 'about '}{num_rows[split]:,} rows)"
        for split, own in splits.items()
        if own
    )
    carved = [split for split in ("dev", "test") if not splits[split]]
    if carved:
        about += f"; {' and '.join(carved)} {'are' if len(carved) > 1 else 'is'} carved out of train (prepare.{carved[0]}_fraction)"
    findings = [f"files: {about}"]
    train = splits["train"]
    if not any(split_of(file.names[0]) in ("train", None) for file in train):
        findings.append(f"train: no name tells it; {train[0].name} is the largest file (corpus.files)")
    return findings


def _common_dialect(files: Sequence[SampledFile]) -> Dialect:
    """The dialect that reads all files: quotes count where one file has them."""
    dialects = [file.dialect for file in files if file.dialect is not None]
    return next((dialect for dialect in dialects if dialect.format == "csv"), dialects[0])


def _constants(splits: dict[str, list[SampledFile]], section: dict[str, Any]) -> set[tuple[str, str]]:
    """The pairs of languages in the names of files, put into the section as constant columns where there are several."""
    pairs = {file.names[0]: language_pair(file.names[0]) for own in splits.values() for file in own}
    found = {pair for pair in pairs.values() if pair is not None}
    if len(found) < 2 or None in pairs.values():
        return set()
    section["files"] = {
        split: [
            {"file": name, "columns": dict(zip(("source_language", "target_language"), pairs[name] or (), strict=False))}
            for name in names
        ]
        for split, names in section["files"].items()
    }
    return found


def _constant_of(section: dict[str, Any], file: SampledFile, column: str) -> str:
    for entry in section["files"]["train"]:
        if isinstance(entry, dict) and entry["file"] == file.names[0]:
            return str(entry["columns"][column])
    return ""


def _languages(roles: ColumnRoles, splits: dict[str, list[SampledFile]], folder_name: str) -> tuple[str, str]:
    """The languages of the two sides, by the columns' names, the files' or the folder's; empty: unknown."""
    by_column = language_of(leaf(roles.names[roles.source])), language_of(leaf(roles.names[roles.target]))
    if all(by_column):
        return by_column
    pairs = Counter(pair for own in splits.values() for file in own if (pair := language_pair(file.names[0])))
    if len(pairs) == 1:
        return next(iter(pairs))
    return (language_pair(folder_name) or ("", "")) if not pairs else ("", "")
