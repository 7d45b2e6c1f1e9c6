"""Settings of ``corpus`` required by formats and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seq2seq_core.corpus.reading import FORMATS_BY_ENDING
from seq2seq_core.corpus_survey.column_roles import ColumnRoles, TurnColumns
from seq2seq_core.corpus_survey.files.dialects import Dialect
from seq2seq_core.corpus_survey.files.file_names import language_of
from seq2seq_core.corpus_survey.files.folder_files import ending_of
from seq2seq_core.corpus_survey.files.sampled_tables import SampledFile


def format_settings(files: Sequence[SampledFile], dialect: Dialect) -> dict[str, Any]:
    """The settings of a format, as far as the files' endings do not tell them."""
    by_ending = {FORMATS_BY_ENDING.get(ending_of(file.names[0]), "") for file in files}
    found: dict[str, Any] = {} if by_ending == {dialect.format} else {"format": dialect.format}
    usual = {"tsv": "\t", "csv": ","}.get(dialect.format, "")
    return found | ({"delimiter": dialect.delimiter} if dialect.delimiter != usual else {})


def turn_settings(turns: TurnColumns) -> dict[str, Any]:
    """The section ``corpus.conversations``."""
    found: dict[str, Any] = {"id_column": turns.conversation, "order_column": turns.turn, "text_column": turns.text}
    return found | ({"speaker_column": turns.speaker} if turns.speaker else {})


def pair_settings(roles: ColumnRoles) -> dict[str, Any]:
    """The settings of named columns, as far as they are not the defaults."""
    columns = {"source_column": roles.names[roles.source], "target_column": roles.names[roles.target]}
    return {setting: name for setting, name in columns.items() if name != setting.removesuffix("_column")}


def name_columns(roles: ColumnRoles, rows: Sequence[Sequence[str]]) -> ColumnRoles:
    """The roles of a table without header, with names for its columns: by their content, else by their place."""
    names: list[str] = []
    for place in range(len(roles.names)):
        cells = [row[place] for row in rows if row[place]]
        name = f"column_{place + 1}"
        if cells and all(map(language_of, cells)):
            name = "language"
        elif sum(";" in cell and " " not in cell for cell in cells) > len(cells) / 2:
            name = "features"
        names.append(name if name not in names else f"column_{place + 1}")
    names[roles.source], names[roles.target] = "source", "target"
    return ColumnRoles(tuple(names), roles.source, roles.target, roles.task, roles.reason, roles.files)


def describe_roles(roles: ColumnRoles, is_named: bool) -> str:
    """The columns in words."""

    def name(place: int) -> str:
        return repr(roles.names[place]) if is_named else f"column {place + 1}"

    others = f"; kept beside them: {', '.join(other or '(no name)' for _, other in roles.others)}" if roles.others else ""
    return f"columns: source is {name(roles.source)}, target {name(roles.target)}: {roles.reason} (--source, --target){others}"
