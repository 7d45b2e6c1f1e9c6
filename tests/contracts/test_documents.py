"""What README and the pages under docs/ tell a reader to type exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
import yaml

from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import parse_settings

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


def test_the_settings_that_the_readme_shows_are_valid() -> None:
    shown = [
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGES[0].read_text(encoding="utf-8"), flags=re.DOTALL)
    ]
    assert shown
    for sections in shown:
        parse_settings(
            {"corpus": {"path": "x", "files": {"train": ["a"]}}, "register": {"model_name": "m"}} | sections, "README.md"
        )
