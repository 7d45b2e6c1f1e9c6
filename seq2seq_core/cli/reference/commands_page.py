"""The reference of all commands as Markdown, generated from the command line itself: usage, meaning, arguments, options.

``python -m seq2seq_core.cli.reference.commands_page > docs/commands.md`` writes the page.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

import typer

from seq2seq_core.cli.main import app
from seq2seq_core.config.settings_page import markdown_table

INTRODUCTION = """# Commands

Every command, by what it is for. With `--help` a command prints the same on a terminal.

Exit codes of all commands: 0 done, 1 a crash, 2 a fault for you to mend (the message says what), 130 and 143 interrupted.
`s2s --version` prints the version.

The page is generated from the command line. To change it, edit the help texts in `seq2seq_core/cli/` and run
`make reference`.
"""
EXAMPLE = re.compile(r"^(?:Examples?:|Next:)?\s*((?:s2s|echo|ls|pip|torchrun) .*)$")
"""A line of a help text that is typed into a shell."""
IN_ALL = {
    "--debug": "Show a traceback with every error (also: `S2S_DEBUG=1`).",
    "--help": "Show the help and exit.",
}
"""Options of all commands, which the page explains once."""
PAGE = re.compile(r"(?<![\w/])docs/([\w-]+\.md)")
"""A page of this documentation, as help texts name it."""
OPTION = re.compile(r"(?<![\w`-])(--[a-z][a-z-]+)")


def describe_commands() -> str:
    """The reference of all commands that are not hidden."""
    commands = visible_commands(app)
    panels = dict.fromkeys(command.rich_help_panel for command in commands.values())
    parts = [INTRODUCTION.rstrip()]
    parts.append("Options of every command:\n\n" + markdown_table("option, meaning", [(f"`{key}`", IN_ALL[key]) for key in IN_ALL]))
    for panel in panels:
        own = {name: command for name, command in commands.items() if command.rich_help_panel == panel}
        rows = [(f"[`s2s {name}`](#s2s-{name})", _first_line(command)) for name, command in own.items()]
        parts += [f"## {panel}", markdown_table("command, result", rows)]
        for name, command in own.items():
            parts.append(_section(f"s2s {name}", command, 3))
            parts += [_section(f"s2s {name} {inner}", child, 4) for inner, child in _visible(command)]
    return "\n\n".join(parts) + "\n"


def visible_commands(application: typer.Typer) -> dict[str, Any]:
    """The commands of an application that are not hidden, by name.

    Args:
        application: the command line.
    """
    return dict(_visible(typer.main.get_command(application)))


def _visible(group: Any) -> Iterator[tuple[str, Any]]:
    """The commands of a group that are not hidden, none of a plain command."""
    for name, command in getattr(group, "commands", {}).items():
        if not command.hidden:
            yield name, command


def _section(name: str, command: Any, level: int) -> str:
    """Heading, usage, help text and options of one command."""
    context = typer.Context(command, info_name=name)
    usage = command.get_usage(context).removeprefix("Usage: ")
    rows = []
    for parameter in command.get_params(context):
        if parameter.hidden or IN_ALL.keys() & set(parameter.opts):
            continue
        spelling, meaning = parameter.get_help_record(context)
        rows.append((f"`{_plain(spelling)}`", _text(meaning)))
    options = markdown_table("argument or option, meaning", rows) if rows else ""
    parts = [f"{'#' * level} {name}", f"```text\n{_plain(usage)}\n```", _help(command), options]
    return "\n\n".join(part for part in parts if part)


def _help(command: Any) -> str:
    """The help text of a command: paragraphs, and its examples in a block of their own."""
    paragraphs: list[str] = []
    examples: list[str] = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(_plain(command.help or ""))):
        lines = [line for line in paragraph.splitlines() if line.strip() not in ("Example:", "Examples:")]
        typed = [match for match in map(EXAMPLE.match, lines) if match]
        if lines and len(typed) == len(lines):
            examples += [match[1] for match in typed]
        elif lines and all(line.startswith("    ") for line in lines):
            paragraphs.append("```text\n" + inspect.cleandoc("\n".join(lines)) + "\n```")
        elif lines:
            paragraphs.append(_text(" ".join(line.strip() for line in lines)))
    if examples:
        paragraphs.append("```bash\n" + "\n".join(examples) + "\n```")
    return "\n\n".join(paragraphs)


def _first_line(command: Any) -> str:
    return _text(inspect.cleandoc(_plain(command.help or "")).partition("\n")[0])


def _plain(text: str) -> str:
    """A help text without the escapes of terminals' markup."""
    return text.replace("\\[", "[").replace("\b", "")


def _text(text: str) -> str:
    """A help text as Markdown: options are code, pages are links, and no character is markup by chance."""
    parts = re.split(r"(`[^`]*`)", _plain(text))
    return "".join(part if part.startswith("`") else _linked(re.sub(r"([*<])", r"\\\1", part)) for part in parts)


def _linked(text: str) -> str:
    return PAGE.sub(r"[docs/\1](\1)", OPTION.sub(r"`\1`", text))


if __name__ == "__main__":
    sys.stdout.write(describe_commands())
