"""The columns of tables of one layout: their names, gaps and nested ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from seq2seq_core.corpus_survey.column_roles import SPEAKER_NAMES, TEXT_NAMES, ColumnRoles, find_roles
from seq2seq_core.corpus_survey.files.dialects import Dialect
from seq2seq_core.corpus_survey.files.file_names import named_pair, plain
from seq2seq_core.corpus_survey.files.headers import find_header
from seq2seq_core.corpus_survey.files.sampled_tables import SampledFile
from seq2seq_core.errors import UserError


@dataclass(frozen=True)
class LayoutChoice:
    """What the user says of the layout.

    Attributes:
        source: the source's column (name or number from 1), or the word that tells its file apart; empty: the likeliest.
        target: the same of the target.
        header: whether the first row names the columns; None: as it looks.
        speaks: whether recordings are the targets, and not the sources, where a column names some.
    """

    source: str = ""
    target: str = ""
    header: bool | None = None
    speaks: bool = False

    def refuse_header(self, where: str) -> None:
        """Raises where there is no header to choose.

        Raises:
            UserError: ``header`` is given.
        """
        if self.header is not None:
            option = "--header" if self.header else "--no-header"
            raise UserError(f"{option}: must be left out, because {where}")


@dataclass(frozen=True)
class ColumnNames:
    """The names of a table's columns.

    Attributes:
        names: of all columns; numbers from 1 where they have none.
        is_named: whether they have names.
        has_header: whether the first row names them; None where each row has its own names.
        about: the layout in words.
    """

    names: list[str]
    is_named: bool
    has_header: bool | None
    about: str

    @property
    def section(self) -> dict[str, Any]:
        """The settings of ``corpus`` about the header, for columns that have names."""
        if self.has_header is None:
            return {}
        return {"header": True} if self.has_header else {"header": False, "columns": list(self.names)}


def find_names(files: Sequence[SampledFile], dialect: Dialect, chosen: LayoutChoice) -> ColumnNames:
    """The names of the columns of some files of one layout.

    Args:
        files: the files.
        dialect: reads all of them.
        chosen: the header, where the user chooses it.

    Raises:
        UserError: a header was chosen where rows have their own names, or it has a name twice.
    """
    about = f"layout: {dialect.description}"
    if not dialect.delimiter:
        chosen.refuse_header("each row has the names of its columns")
        return ColumnNames(list(files[0].columns), True, None, about)
    if files[0].columns:
        return ColumnNames(list(files[0].columns), True, False, f"{about}; no header (the head names the columns)")
    if chosen.header is not None:
        has_header, reason = chosen.header, f"as {'--header' if chosen.header else '--no-header'} says"
    elif asked := next((name for name in (chosen.source, chosen.target) if name and name in files[0].rows[0]), ""):
        has_header, reason = True, f"it has the column {asked}"
    else:
        has_header, reason = find_header([file.rows for file in files])
    names = list(files[0].rows[0]) if has_header else [str(place + 1) for place in range(dialect.width)]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(
            f"the first row names {repeated[0]!r} more than once ({', '.join(names)}); expected different names of columns, or "
            "--no-header where the row is a pair"
        )
    about += f"; {'a' if has_header else 'no'} header ({reason}; --header, --no-header)"
    return ColumnNames(names, has_header, has_header, about)


def with_told_columns(files: Sequence[SampledFile], chosen: LayoutChoice) -> list[SampledFile]:
    """The files, the columns of a table named as the head of one of them tells; a header that the user chooses counts more."""
    told = next((file.columns for file in files if file.dialect is not None and file.dialect.delimiter and file.columns), ())
    if not told:
        return list(files)
    return [replace(file, columns=told if chosen.header is None else ()) for file in files]


def in_columns(file: SampledFile, columns: ColumnNames) -> SampledFile:
    """The file with its cells in the order of some columns, its header left out; a column that it lacks is empty."""
    if not file.columns:
        return replace(file, rows=file.rows[1:], num_rows=max(0, file.num_rows - 1)) if columns.has_header else file
    if list(file.columns) == columns.names:
        return file
    places = [file.columns.index(name) if name in file.columns else None for name in columns.names]
    rows = [["" if place is None else row[place] for place in places] for row in file.rows]
    return replace(file, columns=tuple(columns.names), rows=rows)


def find_gaps(splits: dict[str, list[SampledFile]], names: Sequence[str]) -> tuple[set[str], frozenset[str]]:
    """The columns that no row of some split has, and those that some row of any split lacks."""
    named = [[file for file in own if file.columns] for own in splits.values()]
    absent = {name for own in named if own for name in names if not any(name in file.columns for file in own)}
    files = [file for own in named for file in own]
    return absent, frozenset(name for file in files for name in names if name not in file.columns or name in file.optional)


def unfold_members(files: Sequence[SampledFile], chosen: LayoutChoice) -> list[SampledFile]:
    """The files with the members of a nested column in its place, where the pairs are there; else without any members.

    Pairs are in a nested column where --source or --target says so, where its members' names tell source and target and those of
    other columns do not, and where there are no two columns beside it.

    Args:
        files: of one layout.
        chosen: names of source and target.
    """
    members = dict.fromkeys(member for file in files for member in file.members)
    parents = dict.fromkeys(parent for file in files for parent in file.nested)
    inside = {parent: [member for member in members if member.startswith(f"{parent}.")] for parent in parents}
    flat = [name for file in files for name in file.columns if name not in members and name not in parents]
    unfolded = [parent for parent in parents if {chosen.source, chosen.target} & {*inside[parent]}]
    if not unfolded and named_pair(flat) is None:
        telling = [parent for parent in parents if named_pair(inside[parent]) is not None]
        plenty = [parent for parent in parents if len(inside[parent]) > 1 and len({*flat}) < 2]
        unfolded = (telling or plenty)[:1]
    dropped = {*unfolded, *(member for parent in parents if parent not in unfolded for member in inside[parent])}
    return [_without(file, dropped) for file in files]


def _without(file: SampledFile, dropped: set[str]) -> SampledFile:
    """The file without some columns."""
    places = [place for place, name in enumerate(file.columns) if name not in dropped]
    if len(places) == len(file.columns):
        return file
    kept = tuple(file.columns[place] for place in places)
    rows = [[row[place] for place in places] for row in file.rows]
    return replace(file, columns=kept, rows=rows, nested=tuple(name for name in file.nested if name not in dropped))


def find_flat_roles(
    files: Sequence[SampledFile], columns: ColumnNames, rows: list[list[str]], chosen: LayoutChoice, folder: Path
) -> ColumnRoles:
    """The roles of columns; those with nested values are neither source nor target.

    Raises:
        UserError: there are no two columns to learn from, or a column that was asked for is missing or nested.
    """
    names = columns.names
    nested = list(dict.fromkeys(name for file in files for name in file.nested))
    flat = [place for place, name in enumerate(names) if name not in nested]
    if nested and (len(flat) < 2 or {chosen.source, chosen.target} & {*nested}):
        cells = [row[names.index(nested[0])] for row in rows]
        advice = _advise_on_nested(nested[0], cells, folder, files[0].names[0])
        raise UserError(f"the column {nested[0]!r} holds nested values; expected a text in each of two columns{advice}")
    flat_rows = [[row[place] for place in flat] for row in rows]
    roles = find_roles([names[place] for place in flat], flat_rows, columns.is_named, chosen.source, chosen.target, chosen.speaks)
    return replace(roles, names=tuple(names), source=flat[roles.source], target=flat[roles.target])


def _advise_on_nested(column: str, cells: Sequence[str], folder: Path, file: str) -> str:
    """The command that makes a corpus of what a nested column of JSON lines holds; empty: there is none."""
    if not file.endswith((".jsonl", ".ndjson", ".json")):
        return ""
    value: Any = json.loads(next(filter(None, cells), "null"))
    place, made = quote(str(folder / file)), quote(f"flat/{Path(file).stem}.jsonl")
    if isinstance(value, dict):
        program = f".[{json.dumps(column)}]"
    elif isinstance(value, list) and value and all(isinstance(turn, dict) for turn in value):
        text = next((key for key in value[0] if plain(key) in (*TEXT_NAMES, "value")), "")
        speaker = next((key for key in value[0] if plain(key) in (*SPEAKER_NAMES, "from")), "")
        if not text:
            return ""
        spoken = f", speaker: .value[{json.dumps(speaker)}]" if speaker else ""
        program = (
            f"foreach inputs as $line (0; . + 1; . as $number | $line[{json.dumps(column)}] | to_entries[] | "
            f"{{conversation: ($number | tostring), turn: .key{spoken}, text: .value[{json.dumps(text)}]}})"
        )
    else:
        return ""
    option = "-cn" if program.startswith("foreach") else "-c"
    return f"; a corpus of what it holds: `mkdir -p flat && jq {option} {quote(program)} {place} > {made}`, then `--corpus flat`"
