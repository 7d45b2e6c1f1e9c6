"""Phrases on the command line: forced, forbidden, and by a glossary, for all lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_core.cli.decoding_flags import name_flags
from seq2seq_core.cli.line_streams import open_sources, read_chunks
from seq2seq_core.errors import CorpusError, UserError
from seq2seq_core.json_text import shorten

if TYPE_CHECKING:
    from seq2seq_core.decoding.phrases.wanted_phrases import PhraseError, Phrases

WORDING = "Wording"

ForceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--force", help="A phrase that every target must contain; may be repeated.", show_default=False, rich_help_panel=WORDING
    ),
]
ForbidOption = Annotated[
    list[str] | None,
    typer.Option(
        "--forbid", help="A phrase that no target may contain; may be repeated.", show_default=False, rich_help_panel=WORDING
    ),
]
GlossaryOption = Annotated[
    Path | None,
    typer.Option(
        "--glossary",
        help="A text file with a term, a TAB and its target a line: the target is forced where the source has the term.",
        show_default=False,
        rich_help_panel=WORDING,
    ),
]


def read_phrases(force: Sequence[str] | None, forbid: Sequence[str] | None, glossary: Path | None) -> Phrases:
    """The wording that a command line asks for.

    Args:
        force: of ``--force``.
        forbid: of ``--forbid``.
        glossary: the file of ``--glossary``.

    Raises:
        UserError: the file cannot be used; the message has the line.
    """
    from seq2seq_core.decoding.phrases.wanted_phrases import PhraseError, Phrases, parse_entries

    entries: dict[str, str] = {}
    if glossary is not None:
        with open_sources(glossary, "a term, a TAB and its target a line") as stream:
            lines = [line for chunk in read_chunks(stream, glossary, 1 << 16) for line in chunk]
        try:
            entries = parse_entries(lines, "line")
        except PhraseError as error:
            raise UserError(f"{glossary}: {error.reason}") from None
    return Phrases(tuple(force or ()), tuple(forbid or ()), entries)


def locate_phrase_fault(error: PhraseError, asked: Phrases, resolved: Phrases, source: Path | None, line: int) -> CorpusError:
    """A phrase's error with file and line of the source, and the options that the phrases come from.

    Args:
        error: of the line.
        asked: the phrases for all lines.
        resolved: those of the line, without glossary.
        source: the file of the sources; None for standard input.
        line: the line number, from 1.
    """
    targets = [phrase for phrase in resolved.force if phrase not in asked.force]
    origins = {"--force": list(asked.force), "--glossary": targets, "--forbid": list(asked.forbid)}
    given = [(flag, ", ".join(repr(shorten(one)) for one in phrases[:3])) for flag, phrases in origins.items() if phrases]
    listed = "; ".join(f"{flag}: {phrases}" for flag, phrases in given)
    return CorpusError(f"{name_flags(error.reason)} ({listed})", source or "standard input", line)
