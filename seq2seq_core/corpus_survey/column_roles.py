"""Which columns of a table hold the sources and the targets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seq2seq_core.corpus_survey.files.file_names import named_pair, plain
from seq2seq_core.corpus_survey.files.folder_files import PICTURE_ENDINGS, RECORDING_ENDINGS, ending_of
from seq2seq_core.corpus_survey.texts.categories import is_category
from seq2seq_core.errors import UserError

FileNoun = Literal["", "recordings", "pictures"]
"""What the files are that a side names; empty: both sides are texts."""
CONVERSATION_NAMES = ("conversation", "conversation id", "dialogue id", "dialog id", "dialog", "dialogue", "thread", "thread id")
TURN_NAMES = ("turn", "turn id", "position", "order", "index")
TEXT_NAMES = ("text", "utterance", "message", "content", "turn text")
SPEAKER_NAMES = ("speaker", "role", "author", "user")


@dataclass(frozen=True)
class ColumnRoles:
    """The columns of a corpus.

    Attributes:
        names: of all columns.
        source: place of the source's column.
        target: place of the target's column.
        task: the task implied by names or files; empty if none.
        reason: why these two, for the user.
        files: what the files are that the sources name, or with the task ``synthesis`` the targets: ``recordings`` or ``pictures``;
            empty: both are texts.
    """

    names: tuple[str, ...]
    source: int
    target: int
    task: str
    reason: str
    files: FileNoun = ""

    @property
    def others(self) -> list[tuple[int, str]]:
        """The places and names of all other columns."""
        return [(place, name) for place, name in enumerate(self.names) if place not in (self.source, self.target)]


@dataclass(frozen=True)
class TurnColumns:
    """The columns of a corpus whose rows are turns of conversations; a name is empty where there is no such column."""

    conversation: str
    turn: str
    text: str
    speaker: str


@dataclass(frozen=True)
class _Column:
    """What the cells of a column look like."""

    place: int
    cells: list[str]

    def share(self, pattern: re.Pattern[str]) -> float:
        filled = [cell for cell in self.cells if cell.strip()]
        return sum(pattern.fullmatch(cell.strip()) is not None for cell in filled) / len(filled) if filled else 1.0

    def has_endings(self, endings: Sequence[str]) -> bool:
        filled = [cell for cell in self.cells if cell.strip()]
        return bool(filled) and sum(ending_of(cell) in endings for cell in filled) >= 0.9 * len(filled)

    @property
    def is_number(self) -> bool:
        return self.share(re.compile(r"[+-]?\d+([.,]\d+)?")) >= 0.95

    @property
    def is_key(self) -> bool:
        return self.share(re.compile(r"[\w./-]*\d[\w./-]*")) >= 0.95 and len(set(self.cells)) >= 0.95 * len(self.cells)

    @property
    def is_category(self) -> bool:
        return is_category(self.cells)


def find_turns(names: Sequence[str]) -> TurnColumns | None:
    """The columns of turns of conversations among a table's named columns; None: its rows are no turns."""
    by_plain = {plain(name): name for name in names}

    def find(known: Sequence[str]) -> str:
        return next((by_plain[name] for name in known if name in by_plain), "")

    found = TurnColumns(find(CONVERSATION_NAMES), find(TURN_NAMES), find(TEXT_NAMES), find(SPEAKER_NAMES))
    return found if found.conversation and found.text and (found.turn or found.speaker) and not named_pair(names) else None


def find_roles(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    is_named: bool,
    source: str = "",
    target: str = "",
    speaks: bool = False,
) -> ColumnRoles:
    """The roles of a table's columns.

    Args:
        names: of the columns; numbers from 1 where the table has no header.
        rows: cells of the table, the header left out.
        is_named: whether the table itself names its columns.
        source: name or number of the source's column; empty: the likeliest.
        target: name or number of the target's column; empty: the likeliest.
        speaks: whether recordings are the targets, where a column names some.

    Raises:
        UserError: there are no two columns to learn from, or a column that was asked for is missing.
    """
    columns = [_Column(place, [row[place] for row in rows]) for place in range(len(names))]
    asked = [_find_asked(option, value, names) for option, value in (("--source", source), ("--target", target))]
    if None not in asked and asked[0] == asked[1]:
        raise UserError(f"--source, --target: must be different columns, got {source!r} and {target!r}, which are one column")
    recordings = [column.place for column in columns if column.has_endings(RECORDING_ENDINGS)]
    pictures = [column.place for column in columns if column.has_endings(PICTURE_ENDINGS)]
    told = named_pair(names) if is_named and asked == [None, None] else None
    if recordings and speaks and asked[1] not in (None, *recordings):
        found = _show([names[place] for place in recordings], is_named)
        raise UserError(f"--target: must be a column that names recordings where a model is to speak ({found}), got {target!r}")
    if recordings and (speaks or asked[1] in recordings or (told and names[recordings[0]] == told[1])):
        said = asked[1] if asked[1] is not None else recordings[0]
        return _with_files(names, columns, said, asked[0], "recordings", are_targets=True)
    if recordings and asked[0] in (None, recordings[0]):
        return _with_files(names, columns, recordings[0], asked[1], "recordings")
    if pictures and asked[0] in (None, pictures[0]):
        return _with_files(names, columns, pictures[0], asked[1], "pictures")
    usable = [column for column in columns if column.place not in (*recordings, *pictures)]
    texts = [column for column in usable if not (column.is_category or column.is_number)]
    if len(usable) < 2:
        kinds = [f" beside {kind}" for kind, found in (("pictures", pictures), ("recordings", recordings)) if found]
        found = _show([names[column.place] for column in texts], is_named)
        raise UserError(f"expected two columns with texts, got {found}{''.join(kinds)}")
    if None not in asked:
        return ColumnRoles(tuple(names), int(asked[0] or 0), int(asked[1] or 0), "", "as --source and --target say")
    if is_named and asked == [None, None] and (pair := named_pair(_speaking_names(names, usable))) is not None:
        first, second, task = pair
        if not all(columns[list(names).index(name)].is_category for name in (first, second)):
            return ColumnRoles(tuple(names), list(names).index(first), list(names).index(second), task, "their names say so")
    places = [place for place in _likely_texts(usable) if place not in asked]
    first_place = asked[0] if asked[0] is not None else places.pop(0)
    second_place = asked[1] if asked[1] is not None else places.pop(0)
    reason = "the only two" if len(columns) == 2 else "the first two with texts"
    return ColumnRoles(tuple(names), first_place, second_place, "", reason)


def _speaking_names(names: Sequence[str], columns: Sequence[_Column]) -> list[str]:
    """The names of columns that may hold texts: those of keys and numbers say nothing beside two others."""
    texts = [column for column in columns if not (column.is_number or column.is_key)]
    return [names[column.place] for column in (texts if len(texts) > 1 else columns)]


def _likely_texts(columns: Sequence[_Column]) -> list[int]:
    """The places of columns, those with texts first, keys and numbers last."""
    if len(columns) == 2:
        return [column.place for column in columns]

    def rank(column: _Column) -> int:
        return 3 * (not any(column.cells)) or 2 * (column.is_number or column.is_key) or int(column.is_category)

    return [column.place for column in sorted(columns, key=rank)]


def _with_files(
    names: Sequence[str], columns: Sequence[_Column], files: int, asked: int | None, noun: FileNoun, are_targets: bool = False
) -> ColumnRoles:
    """The roles where a column names recordings or pictures, which are the sources unless a model is to speak."""
    rest = [column for column in columns if column.place != files and not column.has_endings(RECORDING_ENDINGS + PICTURE_ENDINGS)]
    if not rest:
        raise UserError(f"expected a column with texts beside the {noun}, got {_quote(names)}")
    pair = named_pair([names[column.place] for column in columns])
    named = [place for place, name in enumerate(names) if pair and name == pair[not are_targets] and place != files]
    text = asked if asked is not None else (named or _likely_texts(rest))[0]
    if are_targets:
        return ColumnRoles(tuple(names), text, files, "synthesis", "recordings are what is to be said", noun)
    task, other = ("speech", "; the other direction: --task synthesis") if noun == "recordings" else ("", "")
    return ColumnRoles(tuple(names), files, text, task, f"{noun} are sources{other}", noun)


def _find_asked(option: str, value: str, names: Sequence[str]) -> int | None:
    """The place of a column that an option names; None: the option is not given."""
    if not value:
        return None
    if value in names:
        return list(names).index(value)
    if value.isdecimal() and 1 <= int(value) <= len(names):
        return int(value) - 1
    raise UserError(f"{option}: must be one of the columns {_quote(names)}, or a number from 1 to {len(names)}, got {value!r}")


def _show(names: Sequence[str], is_named: bool) -> str:
    """Columns as a user knows them: by their names, or by their numbers where they have none."""
    return _quote(names) if is_named or not names else f"column {', '.join(names)}"


def _quote(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
