"""The reader of all YAML files of a workspace: YAML 1.2, with the types that DVC gives its values.

It is stricter than YAML: names must be texts and unique, and the size of a document is limited.
"""

from __future__ import annotations

import copy
import io
import sys
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.reader import ReaderError

MAX_DEPTH = 50
"""Most levels of nested lists and mappings."""
MAX_VALUES = 100_000
"""Most values of a document; values behind an alias count each time."""
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"


class YamlError(Exception):
    """A text is not valid YAML, or breaks a rule of this reader; the message names the line."""


class _Composer(Composer):
    """Checks names, depth and size while the tree of a document grows, before any value is made."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader=loader)
        self.warn_double_anchors = False
        self._levels = self._num_values = 0
        self._num_values_below: dict[Node, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        is_alias, line = self.parser.check_event(AliasEvent), _line(self.parser.peek_event().start_mark)
        self._levels += 1
        if self._levels > MAX_DEPTH:
            raise YamlError(f"line {line}: must have at most {MAX_DEPTH} levels, got more")
        num_values = self._num_values
        node = super().compose_node(parent, index)
        if is_alias and node not in self._num_values_below:
            raise YamlError(f"line {line}: an alias must stand outside of what it names, got *{node.anchor} within &{node.anchor}")
        self._num_values += self._num_values_below[node] if is_alias else 1
        if self._num_values > MAX_VALUES:
            raise YamlError(f"line {line}: must have at most {MAX_VALUES:,} values, aliases written out, got more")
        if not is_alias:
            self._num_values_below[node] = self._num_values - num_values
        self._levels -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        _check_names(node)
        return node


class _Constructor(SafeConstructor):
    """Names the line of a value that Python rejects, such as a 13th month."""

    def construct_non_recursive_object(self, node: Any, tag: str | None = None) -> Any:
        if not isinstance(node, ScalarNode):
            return super().construct_non_recursive_object(node, tag)
        try:
            value = super().construct_non_recursive_object(node, tag)
            # Python cannot write every value that it reads: a number of 5,000 digits after 0x, half of a surrogate pair.
            str(value).encode("utf-8")
        except (ValueError, LookupError) as error:
            kind = str(node.tag).rpartition(":")[2]
            raise YamlError(f"line {_line(node.start_mark)}: {_shorten(node.value)!r} is no valid {kind} ({error})") from None
        return value


def parse_yaml(text: str) -> Any:
    """The values of a YAML document, which the caller may change.

    Args:
        text: the text of one document.

    Raises:
        YamlError: it is not valid, its names are not texts or not distinct (YAML 1.2.2, section 3.2.1.1), or it is too large.
    """
    return copy.deepcopy(_parse(text))


@lru_cache(maxsize=8)  # a stage asks for dvc.lock, dvc.yaml and params.yaml several times each, and reading is slow
def _parse(text: str) -> Any:
    reader = YAML(typ="safe", pure=True)  # the C library reads YAML 1.1
    reader.Composer, reader.Constructor = _Composer, _Constructor
    try:
        return reader.load(text)
    except YAMLError as error:
        raise YamlError(_describe(error, text)) from None
    except (ArithmeticError, AssertionError, TypeError, ValueError) as error:  # of tags and numbers that the library trusts
        raise YamlError(f"a value cannot be read: {error or type(error).__name__}") from None


def parse_document(text: str) -> Any:
    """A YAML document to edit: its values as nested mappings and lists that remember comments, quotes and order.

    Args:
        text: of one document.

    Raises:
        YamlError: as :func:`parse_yaml` does.
    """
    parse_yaml(text)
    return _editor().load(text)


def write_document(document: Any) -> str:
    """The text of an edited document, comments included.

    Args:
        document: from :func:`parse_document`.
    """
    buffer = io.StringIO()
    _editor().dump(document, buffer)
    return buffer.getvalue()


def write_inline(value: object) -> str:
    """A value on one line, as in a parameters file.

    Args:
        value: of JSON's types.
    """
    writer, buffer = YAML(typ="safe", pure=True), io.StringIO()
    writer.default_flow_style, writer.width = True, sys.maxsize
    writer.dump(value, buffer)
    return buffer.getvalue().removesuffix("...\n").strip()


def _editor() -> YAML:
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 132
    return editor


def _check_names(node: MappingNode) -> None:
    """Rejects names that are not texts or not unique; a merge of keys (``<<``) may be overridden."""
    first_lines: dict[str, int] = {}
    for key, _ in node.value:
        line = _line(key.start_mark)
        if key.tag not in (_TEXT, _MERGE):
            got = _shorten(key.value) if isinstance(key, ScalarNode) else f"a {key.id}"
            raise YamlError(f"line {line}: a name must be a text, got {got or 'nothing'}; put it in quotes if it is one")
        if key.value in first_lines:
            raise YamlError(f"line {line}: {key.value!r} must be given once, got it on line {first_lines[key.value]} too")
        first_lines[key.value] = line


def _describe(error: YAMLError, text: str) -> str:
    """The error and its position, on one line."""
    if isinstance(error, ReaderError):
        line, code = text.count("\n", 0, error.position) + 1, ord(text[error.position])
        return f"line {line}: must have no control character, got U+{code:04X}"
    if not isinstance(error, MarkedYAMLError):
        return " ".join(str(error).split())
    problem = ", ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    return problem if mark is None else f"line {_line(mark)}, column {mark.column + 1}: {problem}"


def _line(mark: Any) -> int:
    return int(mark.line) + 1


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."
