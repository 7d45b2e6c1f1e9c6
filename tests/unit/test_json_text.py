from __future__ import annotations

import json

import pytest

from seq2seq_core.json_text import MAX_DEPTH, JsonError, leading_members, parse_object


def nested(levels: int, kind: str) -> str:
    """An object with that many levels, itself included."""
    opening, closing = ("[", "]") if kind == "list" else ('{"a": ', "}")
    return '{"a": ' + opening * (levels - 1) + "1" + closing * (levels - 1) + "}"


@pytest.mark.parametrize("kind", ["list", "object"])
def test_the_deepest_object_is_read_and_a_deeper_one_refused(kind: str) -> None:
    assert json.dumps(parse_object(nested(MAX_DEPTH, kind))) == nested(MAX_DEPTH, kind)
    for levels in (MAX_DEPTH + 1, 900, 3000, 200_000):
        with pytest.raises(JsonError, match=r"^nested deeper than 100 levels$"):
            parse_object(nested(levels, kind))


def test_many_brackets_are_no_depth() -> None:
    text = json.dumps({"a": "[{" * 200, "b": [[1]] * 200})
    assert parse_object(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": "\\ud83d"}', "the text in 'a' has half of a surrogate pair"),
        ('{"a": {"b": ["\\udc00"]}}', "the text in 'a' has half of a surrogate pair"),
        ('{"a": {"\\udc00": 1}}', "the text in 'a' has half of a surrogate pair"),
        ('{"\\ud83d": 1}', r"the name '\\\\ud83d' has half of a surrogate pair"),
        ("[1]", "not a JSON object, but"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON .Exceeds the limit"),
        ("\ufeff{}", "not valid JSON .Unexpected UTF-8 BOM"),
        ("", "not valid JSON .Expecting value"),
    ],
)
def test_what_is_no_usable_object_is_named(text: str, told: str) -> None:
    with pytest.raises(JsonError, match=told):
        parse_object(text)


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse_object('{"\\ud83d\\ude00": "\\u00e9\\u0000"}') == {"😀": "é\0"}


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ('{"id": 8, "source": "b"', {"id": 8}),
        (' {"id" : 8 , "x": [1, {}], "source": "b" "c": 1}', {"id": 8, "x": [1, {}], "source": "b"}),
        ('{"id": 12', {}),
        ('{"id": 8, 9: 1}', {"id": 8}),
        ('{"id": 8, "a" "b": 1}', {"id": 8}),
        (r'{"id": 8, "a": "\ud800", "b": 1}', {"id": 8, "b": 1}),
        ('{"id": 8, "deep": ' + "[" * 200 + "]" * 200 + "}", {"id": 8}),
        ('{"id": 8, "deep": ' + "[" * 200_000, {"id": 8}),
        ("[1]", {}),
        ("", {}),
    ],
)
def test_the_members_before_a_fault_are_read(text: str, members: dict[str, object]) -> None:
    assert leading_members(text) == members
