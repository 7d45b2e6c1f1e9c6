from __future__ import annotations

from typing import Any

import pytest

from seq2seq_core.config.yaml_text import MAX_DEPTH, MAX_VALUES, YamlError, parse_document, parse_yaml, write_document

TEN_OF_EACH = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED_TEN_TIMES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name}\n  <<: [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def fault_of(text: str) -> str:
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model:\n  width: 8\n  heads: 2\n  width: 16\n", "line 4: 'width' must be given once, got it on line 2 too"),
        ("a: 1\nb: {c: 1, c: 2}\n", "line 2: 'c' must be given once, got it on line 2 too"),
        ("- a: 1\n  'a': 2\n", "line 2: 'a' must be given once, got it on line 1 too"),
        ("a: &a {x: 1}\nb: {<<: *a, <<: *a}\n", "line 2: '<<' must be given once, got it on line 2 too"),
    ],
)
def test_a_name_given_twice_is_refused_with_both_lines(text: str, message: str) -> None:
    assert fault_of(text) == message


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a: {x: 1}\nb: {x: 2}\nc: [{x: 1}, {x: 2}]\n", {"a": {"x": 1}, "b": {"x": 2}, "c": [{"x": 1}, {"x": 2}]}),
        ("base: &b {x: 1, y: 2}\nnext: {<<: *b, x: 3}\n", {"base": {"x": 1, "y": 2}, "next": {"x": 3, "y": 2}}),
        (
            "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: [*b, *a], y: 3}\n",
            {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": {"x": 1, "y": 3}},
        ),
        ("a: &n 1\nb: &n 2\nc: *n\n", {"a": 1, "b": 2, "c": 2}),
        ("no: nynorsk\nyes: on\n'1': y\n", {"no": "nynorsk", "yes": "on", "1": "y"}),
        ("\ufeffa: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("", None),
    ],
)
def test_names_merges_and_aliases_are_read(text: str, values: Any) -> None:
    assert parse_yaml(text) == values


@pytest.mark.parametrize(
    ("text", "got"),
    [("a:\n  1: x", "1"), ("a:\n  true: x", "true"), ("a:\n  ~: x", "~"), ("a:\n  : x", "nothing"), ("a:\n  [b]: x", "a sequence")],
)
def test_a_name_that_is_no_text_is_refused(text: str, got: str) -> None:
    assert fault_of(text) == f"line 2: a name must be a text, got {got}; put it in quotes if it is one"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [", "line 2, column 5: while parsing a flow node, expected the node content, but found '<stream end>'"),
        ("a: 1\nb: c: d", "line 2, column 5: mapping values are not allowed here"),
        ("a: 1\nb: \0", "line 2: must have no control character, got U+0000"),
        ("a: 1\nb: *c", "line 2, column 4: found undefined alias 'c'"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: expected a single document in the stream, but found another document"),
        ("a: 1\nb: 2026-13-01", "line 2: '2026-13-01' is no valid timestamp (month must be in 1..12)"),
        ("a: !!int x", "line 1: 'x' is no valid int (invalid literal for int() with base 10: 'x')"),
        ("a: !!bool x", "line 1: 'x' is no valid bool ('x')"),
        ("a: !x y", "line 1, column 4: could not determine a constructor for the tag '!x'"),
        (
            "a: !!python/object/apply:os.getcwd []",
            "line 1, column 4: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.getcwd'",
        ),
        ("%YAML 2.0\n---\na: 1", "line 1, column 1: found incompatible YAML document (version 1.* is required)"),
    ],
)
def test_a_fault_is_named_with_its_line(text: str, message: str) -> None:
    assert fault_of(text) == message


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000])
def test_a_number_that_python_cannot_write_is_refused(number: str) -> None:
    assert fault_of(f"a: {number}").startswith(f"line 1: '{number[:40]}...' is no valid int (Exceeds the limit")


@pytest.mark.parametrize("text", [TEN_OF_EACH, MERGED_TEN_TIMES])
def test_a_bomb_of_aliases_is_refused_at_once(text: str) -> None:
    # Written out, it would fill the memory: that this test comes to its end says that it is not.
    assert fault_of(text).endswith(f"must have at most {MAX_VALUES:,} values, aliases written out, got more")


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a\n  <<: *a\n"])
def test_an_alias_within_what_it_names_is_refused(text: str) -> None:
    assert fault_of(text).endswith("an alias must stand outside of what it names, got *a within &a")


@pytest.mark.parametrize(
    "text", ["[" * 20_000, "{a: " * 20_000, "- " * 20_000, "? " * 20_000, "\n".join(" " * level + "a:" for level in range(2000))]
)
def test_20_000_levels_are_refused_at_once(text: str) -> None:
    assert fault_of(text).endswith(f"must have at most {MAX_DEPTH} levels, got more")


@pytest.mark.parametrize("text", ['a: "\\ud83d"', '"\\udc00": 1'])
def test_half_of_a_surrogate_pair_is_refused(text: str) -> None:
    assert "is no valid str ('utf-8' codec can't encode character" in fault_of(text)


def test_the_deepest_document_is_read_and_written() -> None:
    text = "- " * (MAX_DEPTH - 1) + "x\n"
    assert write_document(parse_document(text)) == text
    assert str(parse_yaml(text)).count("[") == MAX_DEPTH - 1


def test_an_edited_document_keeps_comments_quotes_and_the_spelling_of_numbers() -> None:
    document = parse_document("# head\na: 1e-4  # rate\nb: '2'\nc:\n- x   # first\n- y\n")
    document["c"][1] = "z"
    assert write_document(document) == "# head\na: 1e-4  # rate\nb: '2'\nc:\n- x   # first\n- z\n"


def test_a_document_to_edit_is_checked_as_any_other() -> None:
    with pytest.raises(YamlError, match="line 2: 'a' must be given once"):
        parse_document("a: 1\na: 2\n")


def test_values_that_a_caller_changes_are_read_unchanged_by_the_next() -> None:
    parse_yaml("a: [1]\n")["a"].append(2)
    assert parse_yaml("a: [1]\n") == {"a": [1]}
