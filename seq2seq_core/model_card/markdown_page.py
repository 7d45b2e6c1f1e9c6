"""A page as Markdown. Pictures are left out: their figures stand in tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from seq2seq_core.model_card.blocks import Block, Bullets, Fold, Link, Page, Pairs, Picture, Table, Text

_SPECIAL = re.compile(r"([\\`*{}\[\]#|~!$]|(?<!\w)_|_(?!\w))")
_LINE_START = re.compile(r"^(?:[-+=]+|\d+[.)])(?=\s|$)")


def to_markdown(page: Page) -> str:
    """The page as Markdown with tables (GitHub's).

    Args:
        page: its texts may hold anything.
    """
    blocks = [f"# {escape(page.title)}", *_blocks(page.lead)]
    for section in page.sections:
        if own := [*_blocks(section.blocks)]:
            blocks += [f"## {escape(section.title)}", *own]
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """A text as one line of Markdown that shows it as it is.

    Args:
        text: any text.
    """
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _SPECIAL.sub(r"\\\1", line).replace("://", ":&#47;&#47;")  # a bare address would become a link
    return _LINE_START.sub(lambda found: f"&#{ord(found[0][0])};{found[0][1:]}", line)


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    yield from (_block(block) for block in blocks if not isinstance(block, Picture))


def _block(block: Block) -> str:
    match block:
        case Text(text, tone):
            return f"**{escape(text)}**" if tone in ("good", "bad") else escape(text)
        case Bullets(items):
            return "\n".join(f"- {escape(item)}" for item in items)
        case Pairs(entries):
            return _table(["", ""], list(entries.items()), frozenset())
        case Table(heads, rows, numbers):
            return _table(heads, rows, numbers)
        case Link(label, address):
            return f"{escape(label)}: {escape(address)}"
        case Fold(summary, inner):
            return "\n\n".join([f"**{escape(summary)}**", *_blocks(inner)])
        case Picture():
            return ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: frozenset[int]) -> str:
    rule = ["---:" if place in numbers else "---" for place in range(len(heads))]
    lines = [[*map(escape, heads)], rule, *([*map(escape, row)] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
