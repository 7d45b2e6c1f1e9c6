"""The script that runs the README's commands finds all of them, and supplies nothing for commands that are not there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from benchmarks.measured.page_commands import FENCED, PAGES, SERVERS, SHELL, commands_of
from benchmarks.measured.page_supplies import SUPPLIES

ROOT = Path(__file__).resolve().parents[2]
ALL_PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))]
NO_COMMANDS = {"", "diff", "json", "python", "text", "yaml"}
"""Languages of fenced blocks that nobody types into a shell."""


def _read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_line_of_a_fenced_shell_block_is_a_command_in_order(page: str) -> None:
    lines, is_open = [], False
    for line in _read(page).splitlines():
        if line.startswith("```"):
            is_open = line == "```bash"
        elif is_open and line.strip() and not line.startswith("#"):
            lines.append(line.partition("  # ")[0])
    expected = shlex.split(" ".join(line.removesuffix("\\") for line in lines))
    assert shlex.split(" ".join(command.text for command in commands_of(_read(page)) if command.is_fenced)) == expected


@pytest.mark.parametrize("page", ALL_PAGES)
def test_shell_commands_are_fenced_in_one_language(page: str) -> None:
    assert {language for language, _ in FENCED.findall(_read(page))} <= NO_COMMANDS | {SHELL}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_inside_a_sentence_is_found_or_begins_one_that_is(page: str) -> None:
    found = [command.text for command in commands_of(_read(page))]
    sentences = FENCED.sub("", _read(page))
    for code in re.findall(r"`(?:s2s|dvc|make|git|prefect) [^`]+`", sentences):
        text = " ".join(code.strip("`").split())
        assert any(f"{command} ".startswith(f"{text} ") for command in found), text


@pytest.mark.parametrize("page", SUPPLIES)
def test_what_is_supplied_belongs_to_a_command_of_the_page_and_says_why(page: str) -> None:
    commands = {command.text for command in commands_of(_read(page))}
    assert SUPPLIES[page].keys() <= commands
    assert all(supply.reason for supply in SUPPLIES[page].values())


def test_every_server_of_the_table_is_started_by_a_page() -> None:
    commands = [command.text for page in PAGES for command in commands_of(_read(page))]
    for server in SERVERS:
        assert any(command.startswith(server) for command in commands), server


def test_an_introduction_is_typed_later_and_a_mention_is_no_command() -> None:
    block = "```bash\nmake demo   # first\ncurl a \\\n  -d b\n```"
    page = f"Run `make demo` or `dvc repro`.\n\n{block}\n\nThen `dvc  push` or\n`s2s`, `make`.\n"
    assert [(command.text, command.is_fenced) for command in commands_of(page)] == [
        ("make demo", True),
        ("curl a -d b", True),
        ("dvc push", False),
        ("dvc repro", False),
    ]
