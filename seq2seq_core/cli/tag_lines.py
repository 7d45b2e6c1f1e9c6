"""Tags on the command line: the same for all lines (``--tag``), or an object a line (``--tags``)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_core.errors import CorpusError, TagError, UserError

TagOption = Annotated[
    list[str] | None,
    typer.Option("--tag", help="A column that the model takes as a tag, for all lines: NAME=VALUE.", show_default=False),
]
TagsOption = Annotated[
    Path | None,
    typer.Option("--tags", help="A text file with one JSON object a line: the tag columns of each source.", show_default=False),
]


def parse_tags(texts: Sequence[str] | None) -> dict[str, str]:
    """The columns that ``--tag`` gives all lines.

    Args:
        texts: each ``NAME=VALUE``; a value may hold ``=``.

    Raises:
        UserError: a text has no ``=`` or no name, or a name comes twice.
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
    """Refuses a tag for all lines that the model does not take: it would change nothing.

    Args:
        tags: from ``--tag``.
        known: the columns that the model takes as tags.

    Raises:
        UserError: one of the tags is none of these.
    """
    if others := [name for name in tags if name not in known]:
        listed = ", ".join(map(repr, known)) or "none"
        raise UserError(f"--tag: must name a tag that the model takes ({listed}), got {others[0]!r}")


def parse_tag_line(line: str, path: Path, number: int) -> dict[str, str]:
    """The columns that a line of the file of ``--tags`` gives its source; those that hold no text are left out.

    Args:
        line: a JSON object.
        path: the file that errors name.
        number: the line's, from 1.

    Raises:
        CorpusError: the line is no JSON object.
    """
    try:
        values = json.loads(line)
    except ValueError as error:
        raise CorpusError(f"not JSON ({error}); expected an object with the columns that are tags", path, number) from None
    if not isinstance(values, dict):
        raise CorpusError("expected a JSON object with the columns that are tags", path, number)
    return {name: value for name, value in values.items() if isinstance(value, str)}


@contextmanager
def tag_errors(done: int, source: Path | None) -> Iterator[None]:
    """Makes a tag's fault one that names the line of its source.

    Args:
        done: lines before those that the block is about.
        source: the file of the sources; None for standard input.
    """
    try:
        yield
    except TagError as error:
        reason = f"{error.reason} (--tag NAME=VALUE for all lines, --tags FILE line by line)"
        raise CorpusError(reason, source or "standard input", done + (error.place or 0) + 1) from None


def merge_tags(
    common: Mapping[str, str], lines: Sequence[str] | None, path: Path | None, done: int, count: int
) -> list[dict[str, str]]:
    """The columns of each of some sources; what a line says goes before what all have in common.

    Args:
        common: from ``--tag``.
        lines: of the file of ``--tags``, as many as sources; None: there is no file.
        path: that file.
        done: lines before these.
        count: number of sources.
    """
    if lines is None or path is None:
        return [dict(common) for _ in range(count)]
    return [{**common, **parse_tag_line(line, path, done + place)} for place, line in enumerate(lines, start=1)]
