"""The recipes of docs/extending.md as edits of a copy of the repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "extending.md"
ANYTHING = "…"
"""Stands in a diff for what is there already."""


@dataclass(frozen=True)
class NewFile:
    """A block of Python that begins with the name of its file.

    Attributes:
        name: of the file, from the repository's root.
        text: its content.
    """

    name: str
    text: str

    def apply(self, root: Path) -> None:
        """Writes the file, which must not be there."""
        place = root / self.name
        assert not place.exists(), f"{self.name}: there already"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(self.text, encoding="utf-8")


@dataclass(frozen=True)
class Change:
    """A block in the form of a diff; its lines stand in the file exactly once.

    Attributes:
        name: of the file, from the repository's root.
        old: the lines before it.
        new: the lines behind it.
    """

    name: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Makes the change."""
        place = root / self.name
        text = place.read_text(encoding="utf-8")
        gaps = "(.*?)".join(map(re.escape, self.old.split(ANYTHING)))
        found = list(re.finditer(f"^{gaps}$", text, flags=re.MULTILINE | re.DOTALL))
        assert len(found) == 1, f"{self.name}: {len(found)} times\n{self.old}"
        new = self.new
        for kept in found[0].groups():
            new = new.replace(ANYTHING, kept.rstrip().rstrip(","), 1)
        place.write_text(text[: found[0].start()] + new + text[found[0].end() :], encoding="utf-8")


@dataclass(frozen=True)
class Recipe:
    """A section of the page.

    Attributes:
        title: its heading.
        text: all of it.
        edits: its blocks, in order.
    """

    title: str
    text: str
    edits: tuple[NewFile | Change, ...]

    @property
    def files(self) -> set[str]:
        """The files that it touches, without tests."""
        return {edit.name for edit in self.edits if not edit.name.startswith("tests/")}

    @property
    def new_tests(self) -> set[str]:
        """The tests that it writes."""
        return {edit.name for edit in self.edits if isinstance(edit, NewFile) and edit.name.startswith("tests/")}

    @property
    def covering_tests(self) -> set[str]:
        """The tests that it names and does not write."""
        return set(re.findall(r"`(tests/[\w/]+\.py)`", self.text))

    @property
    def stages_that_run(self) -> set[str]:
        """The stages that the page says run again."""
        (line,) = re.findall(r"^Runs again: (.*)$", self.text, flags=re.MULTILINE)
        return set(re.findall(r"`(\w+)`", line))

    def apply(self, root: Path) -> None:
        """Makes all edits.

        Args:
            root: a copy of the repository.
        """
        for edit in self.edits:
            edit.apply(root)


@cache
def recipes() -> tuple[Recipe, ...]:
    """The recipes, in the order of the page."""
    _, *sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return tuple(Recipe(text.partition("\n")[0], text, tuple(map(_edit, _blocks(text)))) for text in sections)


def find_recipe(title: str) -> Recipe:
    """A recipe.

    Args:
        title: its heading.
    """
    return {recipe.title: recipe for recipe in recipes()}[title]


def _blocks(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(python|diff)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def _edit(block: tuple[str, str]) -> NewFile | Change:
    kind, text = block
    first, _, rest = text.partition("\n")
    if kind == "python":
        return NewFile(first.removeprefix("# "), rest)
    lines = rest.removesuffix("\n").split("\n")
    old, new = ([line[1:] for line in lines if line[:1] in (" ", sign, "")] for sign in "-+")
    return Change(first.removeprefix("--- "), "\n".join(old), "\n".join(new))
