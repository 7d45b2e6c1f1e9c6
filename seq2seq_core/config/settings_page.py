"""The reference of all settings as Markdown, generated from the settings classes: names, types, bounds, defaults, docstrings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from seq2seq_core.config.settings import settings_class
from seq2seq_core.config.yaml_text import write_inline
from seq2seq_core.errors import UserError

Schema = Mapping[str, Any]
"""A part of the JSON schema of :class:`~seq2seq_core.config.settings.Settings`."""

FIRST_SETTINGS = {
    "corpus.path": "The folder of your corpus; `s2s configure --corpus` sets it.",
    "corpus.files": "Every corpus names its files in its own way.",
    "tokenize.source.model": "Depends on script and task. For the other side: `tokenize.target.model`.",
    "tokenize.source.vocabulary_size": "Grows with the corpus. For the other side: `tokenize.target.vocabulary_size`.",
    "model.architecture": "A recurrent model suits a small corpus, a Transformer a large one.",
    "train.max_steps": "Sets the length of training, and so most of its cost.",
    "train.batch_tokens": "Bounded by memory: lower it first when memory runs out.",
    "train.learning_rate": "Most often decides whether a model learns.",
    "register.model_name": "The model is served under this name; `s2s configure --name` sets it.",
    "register.metric": "Decides which version serves.",
}
"""The ten settings that a newcomer needs, each with the reason why it comes first."""

INTRODUCTION = """# Settings

`params.yaml` has one section for each stage of the pipeline, and the section `runtime` for the machine and addresses.
A setting that you leave out has its default. `s2s check-settings` lists every fault of the file at once.

`s2s settings` prints this page, and `s2s settings NAME` a part of it, such as `train` or `train.batch_tokens`.

The page is generated from the classes in `seq2seq_core/config/`. To change it, edit their docstrings and run
`s2s settings > docs/settings.md`.
"""


@dataclass(frozen=True)
class Setting:
    """One row of a table; all but the name is Markdown."""

    name: str
    """Its name inside the table's section."""
    kind: str
    """Type and bounds in words."""
    default: str
    """Its default as in YAML."""
    meaning: str
    """Its meaning: the docstring of the field."""


@dataclass(frozen=True)
class SettingsTable:
    """The settings of one class."""

    places: tuple[str, ...]
    """Dotted names of the class in ``params.yaml``; several where they share it."""
    meaning: str
    """Docstring of the class."""
    settings: tuple[Setting, ...]
    """Its fields, in order."""

    def markdown(self, level: int) -> str:
        """Heading, docstring and rows.

        Args:
            level: of the heading.
        """
        same = f"The same for {', '.join(f'`{place}`' for place in self.places[1:])}." if len(self.places) > 2 else ""
        rows = [(f"`{row.name}`", row.kind, row.default, row.meaning) for row in self.settings]
        parts = [
            f"{'#' * level} {_heading(self.places)}",
            self.meaning,
            same,
            markdown_table("setting, type, default, meaning", rows),
        ]
        return "\n\n".join(part for part in parts if part)


def describe_settings(name: str = "") -> str:
    """The reference of all settings, or the part about one section, group of settings or setting.

    Args:
        name: of the part, such as ``train``, ``train.plateau`` or ``train.plateau.factor``; empty: everything.

    Raises:
        UserError: there is no such setting.
    """
    tables = settings_tables()
    if not name:
        return _page(tables) + "\n"
    if "." not in name and (own := [table for table in tables if _section(table) == name]):
        return "\n\n".join(table.markdown(2 if table is own[0] else 3) for table in own) + "\n"
    for table in tables:
        if name in table.places:
            return table.markdown(2) + "\n"
    if (row := find_setting(tables, name)) is not None:
        return SettingsTable((name,), "", (row,)).markdown(2) + "\n"
    names = [f"{place}.{row.name}" for table in tables for place in table.places for row in table.settings]
    sections = [table.places[0] for table in tables if "." not in table.places[0]]
    close = get_close_matches(name, sections + names, n=3) or ["train", "train.max_steps"]
    raise UserError(f"NAME: must be a section or a setting such as {', '.join(close)}, got {name!r}")


def settings_tables() -> list[SettingsTable]:
    """The tables of all sections: each section's own, then those of the sections inside it."""
    root: Schema = settings_class().model_json_schema()
    definitions: Mapping[str, Schema] = root["$defs"]
    tables = []
    for field, schema in root["properties"].items():
        groups = _groups(field.removesuffix("_"), schema, definitions)
        anchors = {name: _anchor(_heading(places)) for name, (places, _) in groups.items()}
        for name, (places, fields) in groups.items():
            required = definitions[name].get("required", [])
            settings = [
                Setting(
                    field,
                    _kind(schema, anchors),
                    "**required**" if field in required else _default(schema, definitions),
                    _markdown(_description(schema, definitions)),
                )
                for field, schema in fields.items()
            ]
            tables.append(SettingsTable(tuple(places), _markdown(definitions[name]["description"]), tuple(settings)))
    return tables


def _description(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """A field's docstring; pydantic leaves it to the section's class where both are the same."""
    return str(schema.get("description") or definitions[schema["$ref"].rpartition("/")[2]]["description"])


def find_setting(tables: Sequence[SettingsTable], name: str) -> Setting | None:
    """A setting by its dotted name, such as ``train.max_steps``."""
    place, _, field = name.rpartition(".")
    return next((row for table in tables if place in table.places for row in table.settings if row.name == field), None)


def _page(tables: Sequence[SettingsTable]) -> str:
    """The whole reference: the first ten settings, then every section."""
    found = {name: find_setting(tables, name) for name in FIRST_SETTINGS}
    rows = [(f"`{name}`", row.default, row.meaning, FIRST_SETTINGS[name]) for name, row in found.items() if row is not None]
    assert len(rows) == len(FIRST_SETTINGS), "one of the first settings does not exist"
    first = markdown_table("setting, default, meaning, why it comes first", rows)
    parts = [f"{INTRODUCTION}\n## The first ten settings\n\n{first}"]
    return "\n\n".join([*parts, *(table.markdown(3 if "." in table.places[0] else 2) for table in tables)])


def _section(table: SettingsTable) -> str:
    return table.places[0].partition(".")[0]


def _groups(place: str, schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, tuple[list[str], Mapping[str, Schema]]]:
    """The classes of a section, each with its places and its fields, outermost first.

    Fields that a class has in common with the one around it (those of a phase with ``train``) are left out.
    """
    groups: dict[str, tuple[list[str], Mapping[str, Schema]]] = {}

    def visit(where: str, part: Schema, outer: Mapping[str, Schema]) -> None:
        for name in _references(part):
            if name in groups:
                groups[name][0].append(where)
                continue
            fields = definitions[name]["properties"]
            own = {field: value for field, value in fields.items() if outer.get(field) != value}
            groups[name] = ([where], own)
            for field, value in own.items():
                visit(f"{where}.{field}", value, fields)

    visit(place, schema, {})
    return groups


def _references(schema: Schema) -> Iterator[str]:
    """The names of the classes that a field's value, or items of it, may be of."""
    if "$ref" in schema:
        yield _class_name(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from _references(schema[key])
    for option in _options(schema):
        yield from _references(option)


def _class_name(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _options(schema: Schema) -> list[Schema]:
    """The alternatives of a union, none for another type."""
    return [*schema.get("anyOf", []), *schema.get("oneOf", [])]


def _kind(schema: Schema, anchors: Mapping[str, str]) -> str:
    """A field's type and bounds in words; a class is a link to its table."""
    if "$ref" in schema:
        return f"[settings](#{anchors[_class_name(schema)]})"
    if options := _options(schema):
        return " or ".join(_kind(option, anchors) for option in options)
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return _either(values)
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            kinds = dict.fromkeys(_kind(item, anchors) for item in schema["prefixItems"])
            return f"list of {len(schema['prefixItems'])} ({' or '.join(kinds)})"
        case "array":
            return f"list of {_grouped(_kind(schema['items'], anchors))}"
        case "object":
            return f"mapping to {_grouped(_kind(schema['additionalProperties'], anchors))}"
        case "string" if "pattern" in schema:
            return f"text that matches `{schema['pattern']}`"
        case "string":
            return "text, not empty" if schema.get("minLength") else "text"
        case kind:
            words = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`", "null": "none"}
            return ", ".join([words[str(kind)], *_bounds(schema)])


def _either(values: Sequence[object]) -> str:
    """Values in words: ``a``, ``b`` or ``c``."""
    *first, last = [f"`{write_inline(value)}`" for value in values]
    return f"{', '.join(first)} or {last}" if first else last


def _grouped(kind: str) -> str:
    """A type that is part of another one, in parentheses unless it is a single word."""
    return f"({kind})" if " " in kind else kind


def _bounds(schema: Schema) -> list[str]:
    """The bounds of a number in words, in one phrase."""
    if "minimum" in schema and "maximum" in schema:
        return [f"{schema['minimum']:,.12g} to {schema['maximum']:,.12g}"]
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    bounds = [f"{word} {schema[key]:,.12g}" for key, word in words.items() if key in schema]
    return [" and ".join(bounds)] if bounds else []


def _default(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """A field's default as in YAML; of a class only what differs from the defaults of its own fields."""
    value = schema["default"]
    if value is None:
        return "none"
    if "$ref" in schema:
        fields = definitions[_class_name(schema)]["properties"]
        value = {name: item for name, item in value.items() if fields[name].get("default", ...) != item}
    elif isinstance(value, Mapping) and any(True for _ in _references(schema)):
        value = {key: {name: item for name, item in inner.items() if item is not None} for key, inner in value.items()}
    return f"`{write_inline(value)}`"


def _markdown(docstring: str) -> str:
    """A docstring as one paragraph of Markdown for each of its paragraphs."""
    paragraphs = re.split(r"\n\s*\n", docstring.strip())
    return "\n\n".join(" ".join(paragraph.split()).replace("``", "`") for paragraph in paragraphs)


def _heading(places: Sequence[str]) -> str:
    """The places of a table, the first one alone where there are many."""
    names = [f"`{place}`" for place in places]
    return " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} others"


def _anchor(heading: str) -> str:
    """The anchor that a heading has on GitHub."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def markdown_table(columns: str, rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    Args:
        columns: their names, separated by commas.
        rows: the cells of each.
    """
    names = columns.split(", ")
    lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|").replace("\n\n", " ") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
