from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seq2seq_core.corpus.pairs import iterate_pairs, write_pairs
from seq2seq_core.errors import CorpusError, MissingInput


def test_pairs_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "prepared" / "train.jsonl"
    pairs = [
        {"source": "a\u2028b\u0085c\td\ne", "target": '"quoted" \\', "language": "de"},
        {"source": "日本語", "target": "", "language": "ja"},
    ]
    assert write_pairs(path, pairs) == 2
    assert list(iterate_pairs(path)) == pairs
    assert path.read_bytes().count(b"\n") == 2


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    with pytest.raises(MissingInput) as caught:
        next(iterate_pairs(path))
    assert str(caught.value) == f"{path}: no such file; `s2s prepare` (or `dvc repro prepare`) makes it"


@pytest.mark.parametrize("line", ['{"source": "a"}', '{"source": "a", "target": 1}'])
def test_a_line_that_is_no_pair_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(f'{{"source": "a", "target": "b"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(CorpusError) as caught:
        list(iterate_pairs(path))
    assert str(caught.value) == (
        f'{path}:2: expected a JSON object with the texts "source" and "target", as `s2s prepare` writes it'
    )


def test_a_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("{\n", encoding="utf-8")
    with pytest.raises(CorpusError) as caught:
        list(iterate_pairs(path))
    assert str(caught.value) == (
        f"{path}:1: not valid JSON (Expecting property name enclosed in double quotes: line 2 column 1 (char 2)); "
        'expected a JSON object with the texts "source" and "target", as `s2s prepare` writes it'
    )


def test_a_write_that_fails_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    write_pairs(path, [{"source": "old", "target": "old"}])

    def fail_after_one() -> Iterator[dict[str, str]]:
        yield {"source": "new", "target": "new"}
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_pairs(path, fail_after_one())
    assert [pair["source"] for pair in iterate_pairs(path)] == ["old"]
    assert list(tmp_path.iterdir()) == [path]
