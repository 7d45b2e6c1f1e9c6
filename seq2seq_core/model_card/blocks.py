"""The content of a page, without a format: blocks in sections. Every text in it is untrusted; whoever renders it escapes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["plain", "good", "bad", "note"]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Pairs:
    """Labels with their values."""

    entries: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        heads: of the columns.
        rows: cells of each row.
        numbers: places of the columns that hold numbers.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A drawing, for pages that can show one.

    Attributes:
        svg: from :mod:`~seq2seq_core.model_card.charts`, which escapes its texts.
        caption: what it shows.
    """

    svg: str
    caption: str


@dataclass(frozen=True)
class Link:
    """A link to another page.

    Attributes:
        label: what the page is.
        address: of the web; any other one is shown, not linked.
    """

    label: str
    address: str


@dataclass(frozen=True)
class Fold:
    """Blocks under a line that opens them."""

    summary: str
    blocks: Sequence[Block]


Block = Text | Bullets | Pairs | Table | Picture | Link | Fold


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """The whole page.

    Attributes:
        title: its heading.
        lead: blocks before the first section.
        sections: in order; those without a block are left out.
        has_contents: whether the sections are listed at the top, for a page of many.
    """

    title: str
    lead: Sequence[Block]
    sections: Sequence[Section] = field(default_factory=list)
    has_contents: bool = False
