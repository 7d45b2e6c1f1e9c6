"""Sources and targets inside nested columns, by dotted names."""

from __future__ import annotations

import json
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from seq2seq_core.errors import CorpusError
from tests.unit.corpus.conftest import ReadTrain, WriteFile

OBJECTS = [
    {"id": "1", "translation": {"en": "one", "fr": "un"}, "meta": {"ts": 1}},
    {"id": "2", "translation": {"en": "two", "fr": "deux"}, "meta": {"ts": 2}},
]
DOTTED = {"source_column": "translation.en", "target_column": "translation.fr"}


def _write(write_file: WriteFile, kind: str, objects: list[dict[str, Any]]) -> str:
    path = write_file(f"c.{kind}", "".join(json.dumps(one) + "\n" for one in objects).encode())
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(objects), path)
    return path.name


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_dotted_name_is_a_member_of_a_nested_column(write_file: WriteFile, read_train: ReadTrain, kind: str) -> None:
    rows = read_train(_write(write_file, kind, OBJECTS), **DOTTED)
    assert [(row.source, row.target, row.columns["id"]) for row in rows] == [("one", "un", "1"), ("two", "deux", "2")]
    assert [set(row.columns) for row in rows] == [{"id", "meta"}] * 2, "only the nested column that is asked for is unfolded"


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_column_whose_own_name_has_a_dot_is_itself(write_file: WriteFile, read_train: ReadTrain, kind: str) -> None:
    name = _write(write_file, kind, [{"translation.en": "own", "translation": {"en": "member"}, "target": "t"}])
    assert [row.source for row in read_train(name, source_column="translation.en")] == ["own"]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_member_can_be_deeper(write_file: WriteFile, read_train: ReadTrain, kind: str) -> None:
    name = _write(write_file, kind, [{"a": {"b": {"c": "deep", "d": "x"}}, "target": "t"}])
    (row,) = read_train(name, source_column="a.b.c")
    assert (row.source, row.columns) == ("deep", {"a.b.d": "x"})


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([{"translation": {"en": "a"}}], "no column 'translation.fr'; the columns are 'translation.en'"),
        ([{"translation": "a"}], "no column 'translation.en'; the columns are 'translation'"),
        ([{"translation": {"en": "a", "fr": 1}}], "expected a text in "),
    ],
)
def test_a_member_that_is_missing_or_no_text_is_named(
    write_file: WriteFile, read_train: ReadTrain, kind: str, objects: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(CorpusError) as caught:
        read_train(_write(write_file, kind, objects), **DOTTED)
    assert message in str(caught.value).replace("expected text in the column", "expected a text in ")
