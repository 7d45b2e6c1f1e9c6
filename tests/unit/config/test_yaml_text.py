from __future__ import annotations

import pytest
import yaml

from seq2seq_core.config.yaml_text import parse_yaml


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model:\n  width: 8\n  heads: 2\n  width: 16\n", "line 4: 'width' must be given once, got it on line 2 too"),
        ("a: 1\nb: {c: 1, c: 2}\n", "line 2: 'c' must be given once, got it on line 2 too"),
        ("- a: 1\n  'a': 2\n", "line 2: 'a' must be given once, got it on line 1 too"),
    ],
)
def test_a_name_given_twice_is_refused_with_both_lines(text: str, message: str) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        parse_yaml(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "a: {x: 1}\nb: {x: 2}\nc: [{x: 1}, {x: 2}]\n",
        "base: &base {x: 1, y: 2}\nnext:\n  deep: &deep {<<: *base, x: 3}\nlast: {<<: *deep, y: 4}\n",
        "1: a\n'1': b\ntrue: c\n",
        "",
    ],
)
def test_all_else_is_as_pyyaml_reads_it(text: str) -> None:
    assert parse_yaml(text) == yaml.safe_load(text)
