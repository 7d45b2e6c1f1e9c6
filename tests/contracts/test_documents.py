"""What README and the pages under docs/ tell a reader to type exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from seq2seq_core.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS: dict[str, object] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_s2s_command_of_a_page_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"\bs2s ([a-z][a-z0-9-]+)", " ".join(_code(text))))
    assert named <= COMMANDS.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_of_a_page_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)\b", " ".join(_code(page.read_text(encoding="utf-8")))))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_settings_file_that_a_help_text_names_exists(name: str) -> None:
    command = COMMANDS[name] if name else typer.main.get_command(app)
    for file in re.findall(r"configs/[\w.]+", str(getattr(command, "help", ""))):
        assert (ROOT / file).is_file()


def _code(markdown: str) -> list[str]:
    """The fenced blocks and the inline code of a page."""
    return re.findall(r"```.*?```|`[^`\n]+`", markdown, flags=re.DOTALL)
