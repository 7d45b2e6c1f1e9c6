"""What a page shows to be typed is understood: options of s2s exist, and Python compiles and imports what is there."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmarks.measured.page_commands import FENCED, NOT_RUN, PAGES, commands_of
from seq2seq_core.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
ALL_PAGES = ["README.md", "CONTRIBUTING.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))]
ENDS = {"|", "||", "&&", ";", "&", ">", "<", ">>"}
"""What ends the words of a command in a shell."""
ADDED = {"docs/extending.md": {"s2s predict has no option --min-p"}}
"""Options that a page tells its reader to write."""
COMMANDS: Any = typer.main.get_command(app)


def invocations(text: str) -> list[list[str]]:
    """The words behind each `s2s` of a shell command.

    Args:
        text: a line of a page.
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = []
    is_open = begins = True
    for word in lexer:
        if word in ENDS:
            is_open, begins = False, word not in {">", "<", ">>"}
        elif begins and word == "s2s":
            found.append([])
            is_open, begins = True, False
        elif is_open and found:
            found[-1].append(word)
        else:
            begins = False
    return found


def faults(words: list[str], group: Any = COMMANDS) -> list[str]:
    """What the command line does not know: the command, or options of it.

    Args:
        words: behind `s2s`, or behind the name of a group of commands.
        group: whose command the first word names.
    """
    name, *rest = words or [""]
    command = group if name.startswith("-") else group.commands.get(name)
    if command is None:
        return [f"no command {name!r}"]
    if command is not group and hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        return faults(rest, command)
    known = {
        spelling for option in command.get_params(typer.Context(command)) for spelling in (*option.opts, *option.secondary_opts)
    }
    given = [word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)]
    called = "s2s" if command is group else f"s2s {name}"
    return [f"{called} has no option {option}" for option in given if option not in known]


@pytest.mark.parametrize("page", ALL_PAGES)
def test_every_command_of_a_page_has_only_options_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    typed = [command.text for command in commands_of(text) if "<" not in command.text.partition("s2s ")[2][:1]]
    found = {fault for line in typed for words in invocations(line) if words for fault in faults(words)}
    assert found - ADDED.get(page, set()) == set()


def test_a_command_or_option_that_is_not_there_is_seen() -> None:
    line = "echo '3 --x' | s2s predict --nbest 3 --beams 5 > a && s2s import opus Books --language de; s2s predikt; s2s --versio"
    assert [faults(words) for words in invocations(line)] == [
        ["s2s predict has no option --beams"],
        ["s2s opus has no option --language"],
        ["no command 'predikt'"],
        ["s2s has no option --versio"],
    ]


@pytest.mark.parametrize("page", ALL_PAGES)
def test_every_python_block_of_a_page_compiles_and_imports_what_is_there(page: str) -> None:
    for language, block in FENCED.findall((ROOT / page).read_text(encoding="utf-8")):
        if language != "python" or page == "docs/extending.md":  # its blocks are applied and tested by test_extending.py
            continue
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert [name.name for name in node.names if not hasattr(module, name.name)] == []
            elif isinstance(node, ast.Import):
                assert [name.name for name in node.names if importlib.util.find_spec(name.name) is None] == []


def test_every_page_with_commands_is_run_or_says_why_not() -> None:
    with_commands = {
        page for page in ALL_PAGES if any(command.is_fenced for command in commands_of((ROOT / page).read_text(encoding="utf-8")))
    }
    assert with_commands <= {*PAGES, *NOT_RUN}
    assert not {*PAGES} & {*NOT_RUN}
    assert all((ROOT / page).is_file() for page in (*PAGES, *NOT_RUN))
    assert all(NOT_RUN.values())
