"""Kinds of fuzzed requests that differ in their body. A further kind is a function here, and an entry in ``BODIES``."""

from __future__ import annotations

import io
import json
import random
import string
from typing import Any

import pyarrow
import pyarrow.parquet

from benchmarks.hostile.message import CSV, PARQUET, Kind, Message, post, to_json

FORMS = ("inputs", "instances", "dataframe_split", "dataframe_records")
PARAMS = {
    "beam_size": (1, 200), "length_penalty": (0, 10), "max_length_ratio": (0.01, 1000), "max_length_offset": (0, 4096),
    "max_length": (0, 4096), "min_length": (0, 4096), "no_repeat_ngram_size": (0, 100), "temperature": (0.01, 100),
    "top_k": (0, 1_000_000), "top_p": (0.001, 1), "seed": (0, 2**31 - 1), "mbr_samples": (2, 200), "diversity_groups": (1, 200),
    "diversity_penalty": (0, 100),
}  # fmt: skip
"""Parameters of requests, and their ranges."""
ODD_CHARACTERS = [
    "\x00",
    "\x1b",
    "\u202e",
    "\ufeff",
    "\u200d",
    "\U0010ffff",
    "e\u0301" * 3,
    "\u2028",
    "𝒂",
    "ﷺ",
    "\r\n",
    "\uffff",
    "👩‍👩‍👧",
]
"""Characters that programs stumble over."""
WRONG = [
    None,
    True,
    False,
    0,
    3,
    -1.5,
    1e308,
    "",
    "x",
    [],
    {},
    [[]],
    [{}],
    ["a", 1],
    {"a": 1},
    [["a", ["b"]]],
    {"source": {"x": "y"}},
]
SHORT = {"max_length": 20}


def text(draw: random.Random) -> str:
    """A usual source."""
    return f"{draw.randrange(1, 29)} {draw.choice(['May', 'Juni', 'mars', 'April'])} {draw.randrange(1900, 2100)}"


def texts(draw: random.Random) -> list[str]:
    """A few of them."""
    return [text(draw) for _ in range(draw.randrange(1, 6))]


def value(draw: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    if depth > 3 or draw.random() < 0.5:
        return draw.choice(WRONG)
    inner = [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    names = ["source", "columns", "data", "index", "0", "x", ""]
    return inner if draw.random() < 0.5 else {draw.choice(names): one for one in inner}


def with_params(draw: random.Random, params: Any, *expected: str) -> Message:
    """A usual source with these parameters."""
    return post(to_json({draw.choice(FORMS[:2]): [text(draw)], "params": params}), *expected)


def mutated(draw: random.Random, data: bytes) -> bytes:
    """The bytes with some of them changed, left out or doubled."""
    found = bytearray(data)
    for _ in range(draw.randrange(1, 5)):
        place = draw.randrange(len(found) + 1)
        found[place : place + draw.randrange(4)] = bytes(draw.randrange(256) for _ in range(draw.randrange(4)))
    return bytes(found)


def _usual(draw: random.Random) -> Message:
    return post(to_json({"inputs": texts(draw), "params": SHORT}), "200", "503")


def _broken_json(draw: random.Random) -> Message:
    whole = to_json({"inputs": texts(draw), "params": SHORT}).decode()
    place = draw.randrange(len(whole))
    ways = [whole[:place], whole + whole[place:], whole.replace('"', "'"), whole[:-1] + ",}", "// x\n" + whole, "\ufeff" + whole]
    return post(draw.choice(ways).encode(), "400")


def _changed_bytes(draw: random.Random) -> Message:
    return post(mutated(draw, to_json({"inputs": texts(draw), "params": SHORT})))


def _deep_nesting(draw: random.Random) -> Message:
    depth = draw.choice([99, 101, 1000, 10_000, 500_000])
    opened, closed = draw.choice([("[", "]"), ('{"a":', "}"), ('[{"source":', "}]")])
    inner = opened * depth + "1" + closed * draw.choice([depth, 0])
    return post(f'{{"{draw.choice([*FORMS, "params", "x"])}": {inner}}}'.encode(), "400")


def _wrong_types(draw: random.Random) -> Message:
    return post(to_json({draw.choice(FORMS): value(draw)}))


def _no_object(draw: random.Random) -> Message:
    return post(draw.choice([b"[]", b"null", b"3", b'"a"', b"true", b"NaN", b'["a"]', b"{}", b"-", b"\x00"]), "400")


def _nulls_and_nan(draw: random.Random) -> Message:
    bad = draw.choice(["null", "NaN", "Infinity", "-Infinity", "1.5", "true"])
    forms = [
        f'{{"inputs": ["a", {bad}]}}', f'{{"instances": [{{"source": {bad}}}]}}', f'{{"inputs": {{"source": ["a", {bad}]}}}}',
        f'{{"dataframe_split": {{"columns": ["source"], "data": [[{bad}]]}}}}', f'{{"dataframe_records": [{{"source": {bad}}}]}}',
        f'{{"inputs": {bad}}}', f'{{"inputs": ["a"], "params": {{"beam_size": {"null" if bad == "true" else bad}}}}}',
    ]  # fmt: skip
    return post(draw.choice(forms).encode(), "400")


def _unequal_shapes(draw: random.Random) -> Message:
    forms = [
        {"inputs": {"source": ["a", "b"], "other": ["c"]}}, {"inputs": [["a", "b"], ["c"]]}, {"inputs": [["a"], "b"]},
        {"dataframe_split": {"columns": ["source"], "data": [["a", "b"], ["c"]]}}, {"instances": [["a"], ["b", "c"]]},
        {"dataframe_split": {"columns": ["source", "x"], "data": [["a"]]}}, {"dataframe_split": {"columns": [], "data": [[]]}},
        {"dataframe_records": [{"source": "a"}, {"x": "b"}]}, {"instances": [{"source": "a"}, "b"]},
    ]  # fmt: skip
    return post(to_json(draw.choice(forms)), "400")


def _unknown_params(draw: random.Random) -> Message:
    name = draw.choice(["beams", "Beam_Size", "num_return_sequences", "", "__class__", "beam_size ", "x" * 5000, "\x00", "é"])
    return with_params(draw, {name: draw.choice(WRONG)} | SHORT, "400")


def _params_out_of_range(draw: random.Random) -> Message:
    name, (lowest, highest) = draw.choice(list(PARAMS.items()))
    return with_params(draw, {name: draw.choice([lowest - 1, highest + 1, -(2**63), 2**63, 2**31, 10**30])}, "400")


def _params_of_wrong_type(draw: random.Random) -> Message:
    name = draw.choice([*PARAMS, "method", "selection"])
    wrong = draw.choice([None, "", "x", [], {}, [1], ["beam"], {"a": 1}, "1e400", "NaN", "\ud800", "9" * 5000])
    return with_params(draw, draw.choice([{name: wrong}, [name], name, [[name, wrong]]]), "400")


def _huge_numbers(draw: random.Random) -> Message:
    number = draw.choice(["1e400", "-1e400", "9" * 4000, "9" * 5000, "1" + "0" * 400, "1e-400", "0." + "9" * 9000, "1e999999999"])
    forms = [f'{{"inputs": [{number}]}}', f'{{"inputs": ["a"], "params": {{"{draw.choice(list(PARAMS))}": {number}}}}}']
    return post(draw.choice(forms).encode())


def _possible_options(draw: random.Random) -> Message:
    params: dict[str, Any] = {"beam_size": draw.randrange(1, 20), "max_length": draw.randrange(1, 40), "seed": draw.randrange(9)}
    if draw.random() < 0.5:
        params |= {"method": "sampling", "temperature": draw.uniform(0.01, 100), "top_k": draw.randrange(5)}
        params |= draw.choice([{}, {"selection": "mbr", "mbr_samples": draw.randrange(2, 20)}, {"top_p": draw.uniform(0.001, 1)}])
    return with_params(draw, params, "200", "503")


def _absurd_options(draw: random.Random) -> Message:
    names = draw.sample([*PARAMS, "method", "selection"], 4)
    params: dict[str, Any] = {name: draw.choice(PARAMS[name]) for name in names if name in PARAMS}
    params |= {name: draw.choice(["beam", "sampling", "mbr", "score", "greedy"]) for name in names if name not in PARAMS}
    return with_params(draw, params)


def _phrase(draw: random.Random) -> str:
    parts = [*string.digits, *"May-/ ", draw.choice(ODD_CHARACTERS)]
    return "".join(draw.choice(parts) for _ in range(draw.choice([0, 1, 2, 5, 20, 3000])))


def _phrases(draw: random.Random) -> Message:
    count = draw.choice([1, 2, 5, 20, 500])
    lists = {"force": [_phrase(draw) for _ in range(count)], "forbid": [_phrase(draw) for _ in range(count)]}
    lists["glossary"] = [f"{draw.choice(['May', '1', _phrase(draw)])}\t{_phrase(draw)}" for _ in range(count)]
    return with_params(draw, {name: lists[name] for name in draw.sample(list(lists), draw.randrange(1, 4))} | SHORT)


def _possible_phrases(draw: random.Random) -> Message:
    phrases = ["".join(draw.choice("0123") for _ in range(2)) for _ in range(draw.randrange(1, 3))]  # the model knows these digits
    glossary = [f"{draw.choice(['May', 'mars'])}\t{draw.randrange(4)}"]
    params = draw.choice([{"force": phrases}, {"forbid": phrases}, {"glossary": glossary}, {"force": ["1"], "forbid": ["2"]}])
    return with_params(draw, params | SHORT, "200", "503")


def _phrases_of_wrong_type(draw: random.Random) -> Message:
    wrong = [3, 1.5, True, {"a": "b"}, [1], [None], [["a"]], [{}], ["a", 1], "\ud800", ["\ud800"]]
    phrases = draw.choice([*wrong, [""], [" "]])  # in a glossary, an empty line is none
    names = ["force", "forbid"] if phrases in ([""], [" "]) else ["force", "forbid", "glossary"]
    return with_params(draw, {draw.choice(names): phrases} | SHORT, "400")


def _invalid_utf8(draw: random.Random) -> Message:
    bad = draw.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80", "é".encode("utf-16")])
    return post(b'{"inputs": ["' + bad + b'"]}', "400")


def _surrogates(draw: random.Random) -> Message:
    half = draw.choice(["\\ud800", "\\udfff", "a\\udc00b", "\\ud83d\\ud83d", "\\ud800\\u0041"])
    forms = ['{"inputs": ["%s"]}', '{"%s": ["a"]}', '{"inputs": {"%s": ["a"]}}', '{"inputs": ["a"], "params": {"%s": 1}}']
    return post((draw.choice(forms) % half).encode(), "400")


def _odd_characters(draw: random.Random) -> Message:
    source = "".join(draw.choice([*ODD_CHARACTERS, *string.printable]) for _ in range(draw.randrange(1, 40)))
    return post(json.dumps({"inputs": [source], "params": SHORT}, ensure_ascii=draw.random() < 0.5).encode(), "200", "503")


def _empty_texts(draw: random.Random) -> Message:
    return post(to_json({"inputs": [draw.choice(["", " ", "\n", "\u3000", "\x00"])] * 3, "params": SHORT}), "200", "503")


def _duplicate_keys(draw: random.Random) -> Message:
    name = draw.choice([*FORMS, "params"])
    first, second = (draw.choice(['["a"]', "null", '{"source": ["a"]}', '[{"source": "a", "source": null}]', "3"]) for _ in "12")
    return post(f'{{"{name}": {first}, "{name}": {second}, "inputs": ["b"]}}'.encode())


def _unknown_names(draw: random.Random) -> Message:
    name = draw.choice(["messages", "input", "parameters", "signature_name", "", "__proto__", "inputs ", "𝒊nputs"])
    return post(to_json({"inputs": ["a"], name: draw.choice(WRONG)}), "400")


def columns(draw: random.Random) -> dict[str, list[Any]]:
    """Columns, of which some are the model's."""
    names = draw.sample(["source", "0", "x", "", "source ", "SOURCE", "language", "-1"], draw.randrange(1, 4))
    return {name: [draw.choice([text(draw), None, 3, "b"]) for _ in range(2)] for name in names}


def _split_forms(draw: random.Random) -> Message:
    found = columns(draw)
    rows = [list(row) for row in zip(*found.values(), strict=True)]
    content: dict[str, Any] = {"columns": list(found), "data": rows, "index": draw.choice([[0, 1], [5], None, "x", [[1], [2]]])}
    content |= draw.choice([{}, {"columns": 3}, {"columns": ["source", "source"]}, {"data": value(draw)}, {"x": 1}])
    return post(to_json({"dataframe_split": content, "params": SHORT}))


def _record_forms(draw: random.Random) -> Message:
    rows = [columns(draw) if draw.random() < 0.3 else {"source": draw.choice([text(draw), None, 3])} for _ in range(3)]
    return post(to_json({"dataframe_records": draw.choice([rows, rows[0], [rows], [*rows, 3]]), "params": SHORT}))


def _input_forms(draw: random.Random) -> Message:
    forms = [
        text(draw),
        texts(draw),
        columns(draw),
        {"source": text(draw)},
        [[text(draw)]],
        {"source": [[text(draw)]]},
        [columns(draw)],
    ]
    return post(to_json({"inputs": draw.choice(forms), "params": SHORT}))


def _instance_forms(draw: random.Random) -> Message:
    rows = [draw.choice([text(draw), {"source": text(draw)}, {"x": 1}, [text(draw)], None]) for _ in range(draw.randrange(4))]
    return post(to_json({"instances": rows, "params": SHORT}))


def _long_texts(draw: random.Random) -> Message:
    source = draw.choice(["a", text(draw), " ", "𝒂", "\u0301"]) * draw.choice([1000, 19_000, 20_001, 200_000])
    return post(to_json({"inputs": [source], "params": SHORT | {"beam_size": 1}}))


def _many_rows(draw: random.Random) -> Message:
    count = draw.choice([200, 1024, 1025, 20_000])
    return post(
        to_json({"inputs": ["a"] * count, "params": SHORT | {"beam_size": 1}}), *(("400",) if count > 1024 else ("200", "503"))
    )


def _csv_forms(draw: random.Random) -> Message:
    forms = [
        "source\na\nb\n", 'source\n"a\nb"\n', "source,x\na,1\n", "x\na\n", "", "\n\n", "source", 'source\n"a', "source\na,b,c\n",
        "source;x\na;b\n", "\ufeffsource\na\n", "source\n\x00\n", "source,source\na,b\n", "source\n" + "a\n" * 2000,
        "source\n" + "a" * 200_000 + "\n", ",\n,\n", "source\r\na\r\n", "source\ra\r",
    ]  # fmt: skip
    return post(draw.choice(forms).encode(), content_type=CSV)


def _parquet_forms(draw: random.Random) -> Message:
    file = io.BytesIO()
    found = draw.choice([{"source": ["a", "b"]}, {"x": [1]}, {"source": [None, "b"]}, {"source": [1.5]}, {"source": [["a"]]}])
    pyarrow.parquet.write_table(pyarrow.table(found), file)
    data = file.getvalue()
    return post(draw.choice([data, mutated(draw, data), data[: draw.randrange(len(data))], b"", b"PAR1PAR1"]), content_type=PARQUET)


BODIES: dict[str, Kind] = {
    kind.__name__.strip("_").replace("_", " "): kind
    for kind in (
        _usual, _broken_json, _changed_bytes, _deep_nesting, _wrong_types, _no_object, _nulls_and_nan,
        _unequal_shapes, _unknown_params, _params_out_of_range, _params_of_wrong_type, _huge_numbers,
        _possible_options, _absurd_options, _phrases, _possible_phrases, _phrases_of_wrong_type,
        _invalid_utf8, _surrogates, _odd_characters, _empty_texts,
        _duplicate_keys, _unknown_names, _split_forms, _record_forms, _input_forms, _instance_forms,
        _long_texts, _many_rows, _csv_forms, _parquet_forms,
    )
}  # fmt: skip
