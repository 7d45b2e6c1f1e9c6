"""What counts as a change of code, and what does not."""

from __future__ import annotations

import pytest

from seq2seq_core.code_digests.syntax import ImportedName, ModuleMeaning, read_meaning

BEFORE = '''"""A module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from package.layers import Layer
from package.sums import add

if TYPE_CHECKING:
    from package.other import Other

FACTOR = 2
"""Of something."""


@dataclass(frozen=True)
class Shape:
    """A shape.

    Attributes:
        width: in units.
    """

    width: int = 3
    names: list[str] = field(default_factory=list)

    def double(self, other: Other) -> int:
        """Twice the width."""
        total = add(self.width, self.width)  # a comment
        return total


def apply(layer: Layer, values: Sequence[float]) -> list[float]:
    return [layer(value * FACTOR) for value in values]
'''

SAME = {
    "a comment": ("FACTOR = 2", "# Two, not three.\nFACTOR = 2"),
    "a module's docstring": ('"""A module."""', '"""Another text."""'),
    "a docstring less": ('        """Twice the width."""\n', ""),
    "a docstring more": ("-> list[float]:\n", '-> list[float]:\n    """Applies it."""\n'),
    "an attribute's docstring": ('"""Of something."""', '"""Of something else."""'),
    "layout": ("add(self.width, self.width)", "add(\n            self.width,\n            self.width,\n        )"),
    "a parenthesis": ("return total", "return (total)"),
    "another quotation mark": ('"""Of something."""', "'Of something.'"),
    "an annotation of an argument": ("layer: Layer", "layer: object"),
    "an annotation less": (") -> int:", "):"),
    "an annotation of a variable": ("total = add", "total: int = add"),
    "an annotation of a constant": ("FACTOR = 2", "FACTOR: int = 2"),
    "an annotation of a dataclass's field": ("names: list[str]", "names: list[object]"),
    "an import that only an annotation uses": ("import Sequence\n", "import Sequence, Mapping\n"),
    "another import for type checking": ("import Other\n", "import Other, Another\n"),
    "the order of imports": (
        "from package.layers import Layer\nfrom package.sums import add",
        "from package.sums import add\nfrom package.layers import Layer",
    ),
}

DIFFERENT = {
    "a constant": ("FACTOR = 2", "FACTOR = 3"),
    "the type of a constant": ("FACTOR = 2", "FACTOR = 2.0"),
    "an operator": ("value * FACTOR", "value + FACTOR"),
    "a default": ("width: int = 3", "width: int = 4"),
    "a field more": ("width: int = 3\n", "width: int = 3\n    height: int = 3\n"),
    "a field less": ("    width: int = 3\n", ""),
    "the order of fields": (
        "width: int = 3\n    names: list[str] = field(default_factory=list)",
        "names: list[str] = field(default_factory=list)\n    width: int = 3",
    ),
    "a field of the class itself": ("width: int = 3", "width: ClassVar[int] = 3"),
    "a decorator's argument": ("frozen=True", "frozen=False"),
    "the place that a name is imported from": ("from package.sums import add", "from package.products import add"),
    "a name imported in another's place": ("import add", "import subtract as add"),
    "a statement more": ("return total", "total += 1\n        return total"),
    "an argument's default": ("values: Sequence[float])", "values: Sequence[float] = ())"),
}


def meaning(source: str) -> ModuleMeaning:
    return read_meaning(source, "package.module")


def edited(change: tuple[str, str]) -> str:
    old, new = change
    assert old in BEFORE
    return BEFORE.replace(old, new)


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_how_code_is_written_does_not_count(change: tuple[str, str]) -> None:
    assert meaning(edited(change)) == meaning(BEFORE)


@pytest.mark.parametrize("change", DIFFERENT.values(), ids=DIFFERENT)
def test_what_code_does_counts(change: tuple[str, str]) -> None:
    assert meaning(edited(change)) != meaning(BEFORE)


def test_imports_are_found_in_every_scope_and_only_where_they_are_used() -> None:
    source = (
        "from package import one\n"
        "from . import two\n"
        "from ..above import three as drei\n"
        "import package.four\n"
        "from package import unused\n"
        "def f():\n"
        "    from package.five import six\n"
        "    return one, two, drei, package.four.x, six\n"
    )
    assert set(read_meaning(source, "package.inner.module").imports) == {
        ImportedName("package", "one", "one"),
        ImportedName("package.inner", "two", "two"),
        ImportedName("package.above", "three", "drei"),
        ImportedName("package.four", "", "package"),
        ImportedName("package.five", "six", "six"),
    }


def test_texts_that_may_be_names_of_modules_are_found() -> None:
    source = 'PARTS = "package.metrics"\nload("package.other", "a name", f"package.{x}")\n"""package.docstring"""\n'
    assert meaning(source).names == ("package.metrics", "package.other")


def test_a_package_starts_its_relative_imports_from_itself() -> None:
    imports = read_meaning("from .part import x\ny = x\n", "package.inner", is_package=True).imports
    assert imports == (ImportedName("package.inner.part", "x", "x"),)


def test_annotations_count_where_a_base_class_may_read_them() -> None:
    model = "class Config(BaseModel):\n    size: int = 1\n"
    assert meaning(model) != meaning(model.replace("int", "float"))
    assert meaning(model.replace("BaseModel", "Protocol")) == meaning(
        model.replace("BaseModel", "Protocol").replace("int", "float")
    )


SETTINGS = '''
Kind = Literal["a", "b"]
NUMBER = 3

class Part(Section):
    size: int = Field(default=1, ge=1)
    """Of the part."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        return self

    @property
    def double(self) -> int:
        return 2 * self.size
'''


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ('"a", "b"', '"a", "b", "c"', False),
        ("size: int", "width: int = 0\n    size: int", False),
        ("ge=1", "ge=2", False),
        ("return self\n", "raise ValueError\n", False),
        ("2 * self.size", "3 * self.size", True),
        ("NUMBER = 3", "NUMBER = 4", True),
    ],
)
def test_of_settings_the_methods_count_and_not_the_fields_whose_values_count_elsewhere(old: str, new: str, counts: bool) -> None:
    before, after = (read_meaning(text, "config.part", has_settings=True) for text in (SETTINGS, SETTINGS.replace(old, new)))
    assert (before != after) is counts
