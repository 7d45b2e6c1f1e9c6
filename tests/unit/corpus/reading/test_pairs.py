from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from seq2seq_core.corpus.pairs import iterate_pairs, parse_pair, parse_pairs, write_pairs
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


LINES = [
    b'{"source": "a", "target": "b"}',
    b'{"source": "a\\n}", "target": "{\xc3\xa4", "language": "de"}',
    b'{"source": "a", "target": "b"},{"source": "c", "target": "d"}',
    b'{"source": "a", "target": [{}',
    b"{}]}",
    b'{"source": "a", "target": "}',
    b'{"}',
    b'{"source": "a", "target": "b"}],[{}',
    b'{"source": "a"}',
    b'{"source": "a", "target": 1}',
    b'{"source": "a", "target": "b"}\r',
    b' {"source": "a", "target": "b"} ',
    b'["source", "target"]',
    b'{"source": "\xff", "target": "b"}',
    b"",
]


def read_one_by_one(lines: Sequence[bytes], path: Path, first: int) -> list[dict[str, str]]:
    return [parse_pair(data, path, line) for line, data in enumerate(lines, start=first)]


def outcome(read: Callable[[Sequence[bytes], Path, int], list[dict[str, str]]], lines: list[bytes]) -> list[dict[str, str]] | str:
    """The pairs, or the message of the fault."""
    try:
        return read(lines, Path("train.jsonl"), 7)
    except CorpusError as error:
        return str(error)


def test_lines_that_are_read_at_once_give_what_each_gives(fresh_random: random.Random) -> None:
    refused = 0
    chosen = [fresh_random.choices(LINES, [8, *[1] * (len(LINES) - 1)], k=fresh_random.randrange(1, 5)) for _ in range(1500)]
    for texts in chosen:
        lines = [text + b"\n" for text in texts[:-1]] + [texts[-1] + fresh_random.choice([b"", b"\n"])]
        alone = outcome(read_one_by_one, lines)
        assert outcome(parse_pairs, lines) == alone
        refused += isinstance(alone, str)
    assert 100 < refused < 1400
