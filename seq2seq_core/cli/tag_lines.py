"""Tags on the command line: the same for all lines (``--tag``), or one JSON object per line (``--tags``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_core.errors import CorpusError, TagError, UserError
from seq2seq_core.json_text import JsonError, parse_object
from seq2seq_core.lookalikes import explain_lookalike

TagOption = Annotated[
    list[str] | None,
    typer.Option("--tag", help="A column that the model takes as a tag, for all lines: NAME=VALUE.", show_default=False),
]
TagsOption = Annotated[
    Path | None,
    typer.Option("--tags", help="A text file with one JSON object a line: the tag columns of each source.", show_default=False),
]


def parse_tags(texts: Sequence[str] | None) -> dict[str, str]:
    """The tag columns of all lines, from ``--tag``.

    Args:
        texts: ``NAME=VALUE`` each; a value may contain ``=``.

    Raises:
        UserError: a text has no ``=`` or no name, or a name occurs twice.
    """
    tags: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UserError(f"--tag: must be NAME=VALUE, got {text!r}")
        if name in tags:
            raise UserError(f"--tag: must be given once for each column, got {name!r} twice")
        tags[name] = value
    return tags


def check_tags(tags: Mapping[str, str], known: Sequence[str]) -> None:
    """Checks that the model takes every tag of ``--tag``; another one would have no effect.

    Args:
        tags: the tags of ``--tag``.
        known: the model's tag columns.

    Raises:
        UserError: the model does not take one of the tags.
    """
    if others := [name for name in tags if name not in known]:
        listed = ", ".join(map(repr, known)) or "none"
        raise UserError(
            f"--tag: must name a tag that the model takes ({listed}), got {others[0]!r}{explain_lookalike(others[0], known)}"
        )


def parse_tag_line(line: str, path: Path, number: int) -> dict[str, str]:
    """The tag columns of one source, from a line of the ``--tags`` file; values that are not texts are left out.

    Args:
        line: a JSON object.
        path: the file name in errors.
        number: the line number, from 1.

    Raises:
        CorpusError: the line is not a JSON object.
    """
    try:
        values = parse_object(line)
    except JsonError as error:
        raise CorpusError(f"{error}; expected an object with the columns that are tags", path, number) from None
    return {name: value for name, value in values.items() if isinstance(value, str)}


def locate_tag_fault(error: TagError, source: Path | None, line: int) -> CorpusError:
    """A tag's error with file and line of the source.

    Args:
        error: of the line.
        source: the file of the sources; None for standard input.
        line: the line number, from 1.
    """
    return CorpusError(
        f"{error.reason} (--tag NAME=VALUE for all lines, --tags FILE line by line)", source or "standard input", line
    )


def merge_tags(
    common: Mapping[str, str], lines: Sequence[str] | None, path: Path | None, done: int, count: int
) -> list[dict[str, str]]:
    """The tag columns of each source; ``--tags`` takes precedence over ``--tag``.

    Args:
        common: the tags of ``--tag``.
        lines: a line of the ``--tags`` file for each source; None where there is no such file.
        path: the ``--tags`` file.
        done: number of lines before these.
        count: number of sources.
    """
    if lines is None or path is None:
        return [dict(common) for _ in range(count)]
    return [{**common, **parse_tag_line(line, path, done + place)} for place, line in enumerate(lines, start=1)]
