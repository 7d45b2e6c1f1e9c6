"""What README and the pages under docs/ tell a reader to type exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.config.settings_page import FIRST_SETTINGS
from seq2seq_core.config.sweep_file import load_sweep
from seq2seq_core.config.yaml_text import parse_yaml
from tests.page_samples import NewFile, recipes

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
REST_OF_THE_FILE: dict[str, Any] = {"corpus": {"path": "x", "files": {"train": ["a"]}}, "register": {"model_name": "m"}}
"""Sections that every file needs, for pages that show others."""
MONOLINGUAL = [{"file": f"{language}.txt", "language": language} for language in ("en", "de")]
OTHER_SECTIONS: dict[str, dict[str, Any]] = {
    "synthesis.md": {
        "corpus": REST_OF_THE_FILE["corpus"] | {"target_kind": "audio"},
        "model": {"frames": {}},
        "train": {"phases": [{"objective": "frames"}]},
        "evaluate": {"beam_size": 1, "metrics": ["mel_distortion"]},
        "register": {"model_name": "voice", "metric": "mel_distortion"},
    },
    "unsupervised.md": {
        "corpus": REST_OF_THE_FILE["corpus"] | {"monolingual": MONOLINGUAL},
        "tokenize": {"joint": True, "source_tags": ["target_language"]},
    },
}
"""Sections that the settings of one page need beside them."""
COMMANDS: dict[str, object] = typer.main.get_command(app).commands  # type: ignore[attr-defined]

WRITTEN = {edit.name for recipe in recipes() for edit in recipe.edits if isinstance(edit, NewFile)}
"""Files that a page tells its reader to write."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_s2s_command_of_a_page_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"\bs2s ([a-z][a-z0-9-]+)", " ".join(_code(text))))
    assert named <= COMMANDS.keys() | {Path(name).stem for name in WRITTEN if "/stages/" in name}


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


@pytest.mark.parametrize("package", ["seq2seq_core", "flows"])
def test_the_page_of_the_architecture_names_every_module_and_room(package: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {part.rstrip("/").rpartition("/")[2] for part in re.findall(r"`([\w./]+)`", page)}
    entries = [path for pattern in ("*", "*/*/") for path in (ROOT / package).glob(pattern) if not path.name.startswith("__")]
    rooms = [path for path in entries if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))]
    assert {path.stem for path in rooms} - named == set()


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_settings_file_that_a_help_text_names_exists(name: str) -> None:
    command = COMMANDS[name] if name else typer.main.get_command(app)
    for file in re.findall(r"configs/[\w.]+", str(getattr(command, "help", ""))):
        assert (ROOT / file).is_file()


def _code(markdown: str) -> list[str]:
    """The fenced blocks and the inline code of a page."""
    return re.findall(r"```.*?```|`[^`\n]+`", markdown, flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_source_file_that_a_page_names_exists(page: Path) -> None:
    for name in re.findall(r"[\w./-]+\.py\b", page.read_text(encoding="utf-8")):
        assert (ROOT / name).is_file() or name in WRITTEN, f"{page.name}: {name}"


def test_the_settings_that_the_readme_shows_are_valid_and_are_those_that_come_first() -> None:
    (shown,) = [parse_yaml(block) for block in _yaml_blocks(PAGES[0])]
    parse_settings(shown, "README.md")
    for name in FIRST_SETTINGS:
        value: Any = shown
        for part in name.split("."):
            value = value[part]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_settings_that_a_page_shows_are_valid(page: Path, tmp_path: Path) -> None:
    for block in _yaml_blocks(page):
        shown = parse_yaml(block)
        if "space" in shown:
            (tmp_path / "sweep.yaml").write_text(block, encoding="utf-8")
            load_sweep(tmp_path / "sweep.yaml")
            continue
        rest = REST_OF_THE_FILE | OTHER_SECTIONS.get(page.name, {})
        parse_settings(rest | {name: rest.get(name, {}) | section for name, section in shown.items()}, page.name)


def _yaml_blocks(page: Path) -> list[str]:
    """The blocks of YAML on a page; a digest that is cut short is filled up."""
    text = page.read_text(encoding="utf-8").replace("3f0c…", "3f0c" * 16)
    return re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
