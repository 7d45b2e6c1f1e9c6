"""Every request gets an answer that says what is wrong, whatever it is made of."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from .conftest import House

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
EXPECTED = {"predictions": [{"prediction": text, "score": -1.0, "is_cut": False, "source_is_cut": False} for text in ("A", "B")]}


def parquet(columns: dict[str, list[Any]]) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ({"inputs": ["a", "b"]}, "application/json"),
        ({"inputs": {"source": ["a", "b"], "language": ["de", "en"], "id": [1, None]}}, "Application/JSON; charset=UTF-8"),
        ({"instances": [{"source": "a"}, {"source": "b", "language": "de"}], "params": {"beam_size": 3}}, "application/json"),
        ({"dataframe_split": {"columns": ["source"], "data": [["a"], ["b"]], "index": [3, 4]}}, "application/json"),
        ({"dataframe_records": [{"source": "a"}, {"source": "b"}]}, "application/json"),
        ("source,language\na,de\nb,\n", CSV),
        (parquet({"source": ["a", "b"]}), PARQUET),
    ],
    ids=str,
)
def test_every_form_of_request_is_answered(house: House, body: Any, content_type: str) -> None:
    answer = house.score(body, content_type)
    assert (answer.status, json.loads(answer.body)) == (200, EXPECTED)
    assert answer.headers["x-s2s-model"] == "models:/dates/3; bundle_digest=abc"


def test_the_commas_of_texts_are_no_values(house: House) -> None:
    text = '\\", [{' * 900
    answer = house.score({"inputs": [text] * 40, "params": {"beam_size": 1, "max_length": 9}})
    assert [row["prediction"] for row in json.loads(answer.body)["predictions"]] == [text.upper()] * 40


def test_a_text_is_a_request_too(house: House) -> None:
    assert json.loads(house.score({"inputs": "12"}).body)["predictions"][0]["prediction"] == "12"


MANY_VALUES = "expected at most 102400 values, got more (serve.limits.max_rows sets the limit)"
DEEP = '{"inputs": ' + "[" * 100_000 + "]" * 100_000 + "}"
REFUSED: list[tuple[Any, str]] = [
    ("", "the body must be a JSON object, got something else: not valid JSON (Expecting value: line 1 column 1 (char 0))"),
    ("[]", "the body must be a JSON object, got something else: not a JSON object, but '[]'"),
    (DEEP, "the body must be a JSON object, got something else: nested deeper than 100 levels"),
    (b'{"inputs": ["\xff"]}', "the body must be UTF-8, got another byte at 13"),
    ('{"inputs": ["\\ud800"]}', "got something else: the text in 'inputs' has half of a surrogate pair"),
    ({}, "expected exactly one of dataframe_split, dataframe_records, inputs, instances; got none"),
    (
        {"inputs": ["a"], "instances": ["a"]},
        "expected exactly one of dataframe_split, dataframe_records, inputs, instances; got inputs and",
    ),
    ({"inputs": ["a"], "parameters": {}}, "got the unknown name 'parameters'"),
    ({"inputs": ["a"], "params": []}, "params must be an object, got list"),
    ({"inputs": ["a"], "params": {"beams": 3}}, "params.beams: unknown; the model has beam_size, length_penalty,"),
    ({"inputs": ["a"], "params": {"beam_size": None}}, "params.beam_size: must be of the type int, got null"),
    ({"inputs": ["a"], "params": {"beam_size": 201}}, "params.beam_size: must be from 1 to 200, got 201"),
    ({"inputs": [None]}, "row 0: source must be a text, got null"),
    ('{"inputs": ["a", NaN]}', "row 1: source must be a text, got null"),
    ({"inputs": ["a", 3]}, "row 1: source must be a text, got int 3"),
    ({"inputs": [["a"]]}, "row 0: source must be a text, got list"),
    ({"inputs": {"source": [None]}}, "row 0: source must be a text, got null"),
    ({"instances": ["a", None]}, "row 1: source must be a text, got null"),
    ({"instances": [{"source": 3}, {"source": "a"}]}, "row 0: source must be a text, got int 3"),
    ({"dataframe_split": {"columns": ["source"], "data": [["a"], [None]]}}, "row 1: source must be a text, got null"),
    ({"dataframe_records": [{"source": "a"}, {"source": None}]}, "row 1: source must be a text, got null"),
    ({"dataframe_records": [{"source": "a"}, {"source": 3}]}, "row 1: source must be a text, got int 3"),
    ({"dataframe_records": ["a"]}, "dataframe_records must be a list of objects"),
    ({"dataframe_split": 3}, "dataframe_split must be an object of columns, a list of names, and data, a list of rows"),
    ({"dataframe_split": {"columns": ["source"], "data": [["a", "b"]]}}, "row 0 must be a list of 1 values, got one of 2"),
    ({"dataframe_split": {"columns": ["source", "source"], "data": []}}, "dataframe_split.columns must have each name once"),
    ({"inputs": {"source": ["a", "b"], "language": ["de"]}}, "expected columns of one length, got source: 2, language: 1"),
    ({"inputs": {"text": ["a"]}}, "expected the column 'source', got ['text']"),
    ('{"inputs": [' + "[]," * 2_000_000 + "[]]}", MANY_VALUES),
    ({"inputs": ['"'] * 200_000}, MANY_VALUES),
    ('{"inputs": ["' + '\\"' * 100_000 + "," * 200_000, "not valid JSON (Unterminated string starting at"),
    ({"inputs": []}, "expected 1 to 1024 rows, got 0 (serve.limits.max_rows sets the limit)"),
    ({"inputs": ["a"] * 10_000}, "expected 1 to 1024 rows, got 10000 (serve.limits.max_rows sets the limit)"),
    (
        {"inputs": ["3 May 2031"] * 64, "params": {"beam_size": 200, "min_length": 4096}},
        "the request may cost 52428800 target tokens (64 rows × 200 hypotheses × up to 4096 tokens), expected at most 1000000",
    ),
]


@pytest.mark.parametrize(("body", "reason"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_request_that_cannot_be_answered_gets_status_400_and_the_reason(house: House, body: Any, reason: str) -> None:
    answer = house.score(body)
    assert answer.status == 400
    assert reason in answer.message
    assert set(json.loads(answer.body)) == {"error_code", "message"}


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        ('source\n"a\n', CSV, "the body must be CSV with a line of names, got something else: unexpected end of data"),
        ("source\na,b\n", CSV, "row 0 must be a list of 1 values, got one of 2"),
        ("", CSV, "expected the column 'source', got []"),
        (b"PAR1 and no more", PARQUET, "the body must be a Parquet file, got something else (ArrowInvalid)"),
        (parquet({"source": ["a"] * 2000}), PARQUET, "expected a Parquet file of at most 1024 rows"),
        (parquet({"source": ["a" * 1_000_000]}), PARQUET, "of 4 times its size in memory; got 1 rows and 1 columns of"),
        (parquet({"source": [["a"]]}), PARQUET, "got the nested column 'source.list.element'"),
        (parquet({str(number): ["a"] for number in range(101)}), PARQUET, "at most 1024 rows, 100 columns, and of 4 times"),
        ("source\n" + "a\n" * 200_000, CSV, MANY_VALUES),
        ("," * 200_000, CSV, MANY_VALUES),
    ],
    ids=lambda value: str(value)[:20],
)
def test_tables_are_read_as_strictly(house: House, body: Any, content_type: str, reason: str) -> None:
    answer = house.score(body, content_type)
    assert (answer.status, reason in answer.message) == (400, True), answer.body


def test_a_small_table_of_large_texts_is_refused_before_they_are_read(house: House) -> None:
    body = parquet({"source": [random.Random(1).randbytes(200_000).hex()] * 500})  # made here: it takes half a second
    answer = house.score(body, PARQUET)
    assert (answer.status, "expected a Parquet file whose texts take at most" in answer.message) == (400, True), answer.body


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/xml"}, {"Content-Type": "application/json; charset=latin-1"}])
def test_another_type_of_body_gets_status_415(house: House, headers: dict[str, str]) -> None:
    answer = house.ask("POST", "/invocations", '{"inputs": ["a"]}', headers)
    assert answer.status == 415
    assert "expected the Content-Type application/json" in answer.message


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ping", 200), ("GET", "/health", 200), ("GET", "/version", 200), ("GET", "/ready", 200), ("HEAD", "/ready", 200),
        ("GET", "/openapi.json", 200), ("GET", "/invocations", 405), ("DELETE", "/metrics", 405), ("GET", "/nowhere", 404),
        ("POST", "/ping", 405),
    ],
)  # fmt: skip
def test_other_paths_and_methods_are_answered_as_mlflow_does(house: House, method: str, path: str, status: int) -> None:
    answer = house.ask(method, path)
    assert (answer.status, "x-s2s-model" in answer.headers) == (status, True)


VALUES: list[Any] = [
    None, True, 3, -1e308, "a", "", "\x00", "\u202e", "𝒂" * 50, [], {}, ["a"], {"source": "a"}, [[["a"]]], 10**400, "a" * 30_000,
]  # fmt: skip


def draw_value(draw: random.Random, depth: int = 0) -> Any:
    if depth > 3 or draw.random() < 0.6:
        return draw.choice(VALUES)
    inner = [draw_value(draw, depth + 1) for _ in range(draw.randrange(4))]
    names = ["source", "language", "columns", "data", "index", "x", ""]
    return inner if draw.random() < 0.5 else {draw.choice(names): one for one in inner}


def damage(draw: random.Random, text: bytes) -> bytes:
    """The text; at times with a few bytes of it replaced."""
    if draw.random() >= 0.3:
        return text
    place = draw.randrange(len(text))
    return text[:place] + bytes(draw.randrange(256) for _ in range(3)) + text[place + draw.randrange(3) :]


def mutate(draw: random.Random) -> tuple[bytes, str]:
    """A request made at random of pieces that have broken servers before."""
    forms = ["inputs", "instances", "dataframe_split", "dataframe_records", "params", "messages"]
    content = {draw.choice(forms): draw_value(draw) for _ in range(draw.choice([1, 1, 2, 3]))}
    if draw.random() < 0.4:
        options = ["beam_size", "length_penalty", "method", "seed", "selection", "top_p", "x"]
        content = {"inputs": ["a"], "params": {draw.choice(options): draw_value(draw) for _ in range(2)}}
    return damage(draw, json.dumps(content).encode()), draw.choice(["application/json"] * 8 + [CSV, PARQUET])


def test_requests_made_at_random_get_no_internal_error_and_no_path(house: House, fresh_random: random.Random) -> None:
    statuses = set()
    for _ in range(300):
        body, content_type = mutate(fresh_random)
        answer = house.score(body, content_type)
        assert answer.status in (200, 400), (body, content_type, answer)
        assert b"Traceback" not in answer.body, (body, answer)
        assert str(Path(pyarrow.__file__).parents[1]).encode() not in answer.body, (body, answer)
        statuses.add(answer.status)
    assert statuses == {200, 400}


@pytest.mark.parametrize(
    ("path", "usual", "form"),
    [
        ("/translate", {"q": "a", "source": "en", "target": "und", "alternatives": 1}, "application/x-www-form-urlencoded"),
        ("/try", {"source": "a", "tags": {}, "params": {}, "num_hypotheses": 2, "alignments": True}, CSV),
    ],
)
def test_other_paths_withstand_random_requests_too(
    house: House, fresh_random: random.Random, path: str, usual: dict[str, Any], form: str
) -> None:
    statuses = set()
    for _ in range(150):
        changed = {fresh_random.choice([*usual, "api_key", "format"]): draw_value(fresh_random) for _ in range(2)}
        kind = fresh_random.choice(["application/json"] * 4 + [form])
        body = damage(fresh_random, json.dumps(usual | (changed if fresh_random.random() < 0.9 else {})).encode())
        answer = house.ask("POST", path, body, {"Content-Type": kind})
        assert answer.status in (200, 400, 415), (body, kind, answer)
        assert b"Traceback" not in answer.body, (body, answer)
        statuses.add(answer.status)
    assert statuses >= {200, 400}
