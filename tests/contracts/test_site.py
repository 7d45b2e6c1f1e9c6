"""The documentation site: every page is in its order, generated pages are current, and all files name the same version."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import seq2seq_core
from seq2seq_core.cli.main import app
from seq2seq_core.cli.reference.commands_page import describe_commands, visible_commands
from seq2seq_core.cli.reference.metrics_page import describe_metrics
from seq2seq_core.config.metric_names import list_metrics

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SITE = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
DECISIONS = DOCS / "adr"
WITHOUT_NAVIGATION = {f"adr/{path.name}" for path in DECISIONS.glob("[0-9]*.md")}
"""Pages that adr/index.md leads to."""


def _pages(part: Any) -> Iterator[str]:
    """The pages of a part of the navigation."""
    if isinstance(part, str):
        yield part
    else:
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _pages(inner)


def test_every_page_stands_once_in_the_navigation_and_is_there() -> None:
    listed = list(_pages(SITE["nav"]))
    assert sorted(listed) == sorted(set(listed))
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert set(listed) == there - WITHOUT_NAVIGATION, "zensical.toml lists the pages in their order"


def test_the_page_of_decisions_leads_to_each_by_its_title() -> None:
    lines = [line for line in (DECISIONS / "index.md").read_text(encoding="utf-8").splitlines() if line.startswith("- ")]
    expected = []
    for path in sorted(DECISIONS.glob("[0-9]*.md")):
        number, _, title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").partition(" ")
        expected.append(f"- [{number}]({path.name}) {title}")
    assert lines == expected


def test_the_page_of_commands_is_the_one_that_the_command_line_makes() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert text == describe_commands(), "docs/commands.md is stale; run: make reference"
    assert {f"s2s {name}" for name in visible_commands(app)} <= set(re.findall(r"^#+ (s2s [\w-]+)$", text, flags=re.MULTILINE))


def test_the_page_of_metrics_is_the_one_that_the_metrics_make() -> None:
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert text == describe_metrics(), "docs/metrics.md is stale; run: make reference"
    assert set(re.findall(r"^## (\w+)$", text, flags=re.MULTILINE)) == set(list_metrics())


def test_the_site_and_the_citation_name_the_version_of_the_package() -> None:
    version = seq2seq_core.__version__
    assert SITE["site_dir"] == f"site/{version}"
    assert SITE["copyright"].startswith(f"seq2seq-flows {version},")
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version


def test_the_site_asks_no_other_server_for_its_fonts() -> None:
    assert SITE["theme"]["font"] is False


@pytest.mark.parametrize("name", ["bug", "wish"])
def test_an_issue_is_asked_for_the_output_of_the_doctor(name: str) -> None:
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text(encoding="utf-8"))
    labels = [field["attributes"]["label"] for field in form["body"] if field["type"] != "markdown"]
    assert "Output of `s2s doctor`" in labels
