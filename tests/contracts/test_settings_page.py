"""docs/settings.md is what the settings classes say today."""

from __future__ import annotations

import re
from pathlib import Path

from seq2seq_core.config.settings_page import describe_settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def test_the_page_of_settings_is_the_one_that_the_classes_make() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == describe_settings(), "docs/settings.md is stale; run: s2s settings > docs/settings.md"


def test_every_link_inside_the_page_of_settings_leads_to_a_heading() -> None:
    text = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert len(links) > 10
    assert links <= anchors
