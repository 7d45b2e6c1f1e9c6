"""A page as one HTML file that needs nothing else: no script, no request. It follows the reader's light or dark scheme."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from seq2seq_core.model_card.blocks import Block, Bullets, Fold, Link, Page, Pairs, Picture, Section, Table, Text

_STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --ink: #1c2430; --soft: #5b6676; --line: #dfe4ea; --panel: #f6f8fa;
  --own: #d95f02; --other: #1f77b4; --third: #1b9e77; --good: #1a7f4b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #14181e; --ink: #e6eaf0; --soft: #9aa5b4; --line: #313946; --panel: #1d232c;
  --own: #ff9d4d; --other: #6cb4ee; --third: #5fd1a8; --good: #5fd39a; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 56rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .4rem 0 .8rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
p { margin: .5rem 0; white-space: pre-wrap; }
.good, .bad { font-weight: 600; padding: .6rem .8rem; border-left: 4px solid; background: var(--panel); }
.good { border-color: var(--good); } .bad { border-color: var(--bad); }
.note, figcaption { color: var(--soft); font-size: .9rem; }
.scroll { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .9rem; overflow-wrap: normal; }
th, td { text-align: start; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); }
td { max-width: 24rem; white-space: pre-wrap; overflow-wrap: break-word; } th { color: var(--soft); font-weight: 600; }
.number { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .3rem 1rem; margin: .6rem 0; font-size: .95rem; }
dt { color: var(--soft); } dd { margin: 0; }
a { color: var(--other); } nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: 1rem 0; font-size: .95rem; }
details { margin: .5rem 0; } summary { cursor: pointer; padding: .2rem 0; } details > :not(summary) { margin-left: 1rem; }
li { margin: .2rem 0; }
figure { margin: .8rem 0; } svg { display: block; width: 100%; max-width: 34rem; height: auto; }
svg text { fill: var(--ink); font: 10.5px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
svg .soft { fill: var(--soft); } svg .grid { stroke: var(--line); } svg .axis { stroke: var(--soft); }
svg .own { stroke: var(--own); fill: var(--own); } svg .other { stroke: var(--other); fill: var(--other); }
svg .third { stroke: var(--third); fill: var(--third); } svg .path { fill: none; stroke-width: 1.8; }
svg .bar { stroke: none; fill-opacity: .75; } svg .dash { stroke-dasharray: 4 3; }
"""
_ADDRESS = re.compile(r"https?://[^\x00-\x20]+")
"""An address of the web."""
_HEAD = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
)


def to_html(page: Page) -> str:
    """The page as HTML.

    Args:
        page: its texts may hold anything.
    """
    title = escape(page.title)
    parts = [_HEAD, f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"]
    sections = [section for section in page.sections if section.blocks]
    parts += [*map(_block, page.lead), _contents(sections) if page.has_contents else ""]
    parts += [_section(section) for section in sections]
    return "".join([*parts, "</body>\n</html>\n"])


def _contents(sections: Sequence[Section]) -> str:
    links = (f'<a href="#{_anchor(section)}">{escape(section.title)}</a>' for section in sections)
    return f"<nav>{''.join(links)}</nav>\n"


def _anchor(section: Section) -> str:
    return re.sub(r"[^a-z0-9]+", "-", section.title.lower())


def _section(section: Section) -> str:
    head = f'<section id="{_anchor(section)}">\n<h2>{escape(section.title)}</h2>\n'
    return f"{head}{''.join(map(_block, section.blocks))}</section>\n"


def _block(block: Block) -> str:
    match block:
        case Text(text, tone):
            return f'<p class="{tone}" dir="auto">{escape(text)}</p>\n'
        case Bullets(items):
            lines = (f'<li dir="auto">{escape(item)}</li>' for item in items)
            return f"<ul>{''.join(lines)}</ul>\n"
        case Pairs(entries):
            lines = (f'<dt>{escape(name)}</dt><dd dir="auto">{escape(value)}</dd>' for name, value in entries.items())
            return f"<dl>{''.join(lines)}</dl>\n"
        case Table(heads, rows, numbers):
            table = [_row("th", heads, numbers), *(_row("td", row, numbers) for row in rows)]
            return '<div class="scroll"><table>\n' + "".join(table) + "</table></div>\n"
        case Link(label, address):
            if not _ADDRESS.fullmatch(address):
                return f'<p dir="auto">{escape(label)}: {escape(address)}</p>\n'
            return f'<p dir="auto"><a href="{escape(address)}" rel="noreferrer">{escape(label)}</a></p>\n'
        case Fold(summary, blocks):
            inner = "".join(map(_block, blocks))
            return f'<details><summary dir="auto">{escape(summary)}</summary>\n{inner}</details>\n'
        case Picture(svg, caption):
            return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>\n"


def _row(kind: str, cells: Sequence[str], numbers: frozenset[int]) -> str:
    shown = (
        f'<{kind} class="number">{escape(cell)}</{kind}>' if place in numbers else f'<{kind} dir="auto">{escape(cell)}</{kind}>'
        for place, cell in enumerate(cells)
    )
    return f"<tr>{''.join(shown)}</tr>\n"
