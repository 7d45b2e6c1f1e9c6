from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from seq2seq_core.model_card.blocks import Block, Bullets, Fold, Link, Page, Pairs, Picture, Section, Table, Text
from seq2seq_core.model_card.charts import figure_chart, line_chart, reliability_chart
from seq2seq_core.model_card.facts import Figure, ReliabilityBin
from seq2seq_core.model_card.html_page import to_html
from seq2seq_core.model_card.markdown_page import escape, to_markdown
from tests.page_elements import Elements

EVIL = '<script>alert(1)</script> a|b [x](javascript:alert(1)) <img src="http://evil/x"> `*_~ "\n# heading'
BINS = [ReliabilityBin(low=0.8, high=0.9, count=3, confidence=0.85, right=1.0)]


def evil_page() -> Page:
    figures = {EVIL: Figure(value=0.5, low=0.4, high=0.6), "中" * 30: Figure(value=0.1)}
    pictures = [
        Picture(figure_chart(figures, 0.0, 1.0, 0.5, notes={EVIL: EVIL}), EVIL),
        Picture(line_chart({EVIL: [(1.0, 2.0), (2.0, float("nan"))]}, EVIL), EVIL),
        Picture(reliability_chart(BINS), EVIL),
    ]
    blocks: list[Block] = [
        Text(EVIL),
        Text(EVIL, "bad"),
        Bullets([EVIL]),
        Pairs({EVIL: EVIL}),
        Table([EVIL, "n"], [[EVIL, "1"]], frozenset((1,))),
    ]
    return Page(EVIL, [Text(EVIL)], [Section(EVIL, [*blocks, *pictures]), Section("empty", [])])


def test_a_page_shows_hostile_texts_as_they_are_and_asks_for_nothing() -> None:
    page = Elements(to_html(evil_page()))
    assert not page.names & {"script", "img", "a", "link", "iframe"}
    assert page.addresses == []
    assert page.text.count("<script>alert(1)</script>") >= 9
    assert "empty" not in page.text


@pytest.mark.parametrize(
    ("address", "is_linked"),
    [
        ("https://host/#/models/m/versions/1", True), ("http://host:5000/x", True), ("run.html", False),
        ("javascript:alert(1)", False), ("JaVaScRiPt:alert(1)", False), ("java\tscript:alert(1)", False), ("\x01java:a", False),
        ("//evil/x", False), ("data:text/html,x", False), ("file:///etc/passwd", False), ("", False), (EVIL, False),
    ],
)  # fmt: skip
def test_only_addresses_of_the_web_are_links(address: str, is_linked: bool) -> None:
    page = Elements(to_html(Page("p", [Fold(EVIL, [Link(EVIL, address)])])))
    assert page.addresses == ([address] if is_linked else [])
    assert not page.names & {"script", "img"}
    assert page.text.count("<script>alert(1)</script>") >= 2
    assert to_markdown(Page("p", [Fold("open", [Link("a", "https://b")])])) == "# p\n\n**open**\n\na: https:&#47;&#47;b\n"


def test_a_page_of_many_sections_lists_them() -> None:
    page = to_html(Page("p", [], [Section("Test scores", [Text("x")]), Section("none", [])], has_contents=True))
    assert Elements(page).addresses == ["#test-scores"]
    assert 'id="test-scores"' in page


def test_markdown_shows_hostile_texts_in_their_cells() -> None:
    text = to_markdown(evil_page())
    assert "<" not in text
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in tables] == [3] * 6
    assert not re.search(r"(?<!\\)\]\(", text)
    assert [line for line in text.splitlines() if line.startswith("#")] == [f"# {escape(EVIL)}", f"## {escape(EVIL)}"]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("0.968 [0.9, 1]", "0.968 \\[0.9, 1\\]"), ("exact_match", "exact_match"), ("_x_", "\\_x\\_"), ("- item", "&#45; item"),
        ("1. item", "&#49;. item"), ("-3", "-3"), ("---", "&#45;--"), ("http://x", "http:&#47;&#47;x"), ("&amp;", "&amp;amp;"),
    ],
)  # fmt: skip
def test_markdown_is_escaped_only_where_it_would_be_read_otherwise(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@pytest.mark.parametrize(
    "chart",
    [
        figure_chart({}, 0.0, 1.0), figure_chart({"x": Figure(value=float("inf")), "y": Figure(value=3.0)}, 0.0, 1.0, bars=True),
        line_chart({}, "loss"), line_chart({"a": [(0.0, 1.0)], "b": []}, "loss", 0.0),
        reliability_chart([]), reliability_chart(BINS),
    ],
)  # fmt: skip
def test_every_drawing_is_valid_and_has_only_finite_numbers(chart: str) -> None:
    assert ElementTree.fromstring(chart).tag == "svg"
    assert "nan" not in chart
    assert "inf" not in chart
