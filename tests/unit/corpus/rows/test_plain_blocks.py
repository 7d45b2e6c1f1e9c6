from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.corpus.rows import plain_blocks
from seq2seq_core.corpus.rows.plain_blocks import OddFile, iterate_blocks
from seq2seq_core.errors import CorpusError

PIECES = ["a", "ß", "日本", " ", "\u2028", "\x0b", "\x85", '"', "", "cafe\u0301", "x" * 30]


def _reader(root: Path, *names: str, **corpus: Any) -> SplitReader:
    files = {"train": [list(names)] if len(names) == 2 else list(names)}
    return SplitReader(CorpusSection.model_validate({"path": ".", "files": files, **corpus}), root, "train")


def _rows_in_blocks(reader: SplitReader) -> list[Row]:
    (entry,) = reader.entries
    rows, reader.bytes_read = [], 0
    for block in iterate_blocks(reader, entry):
        source, target = (block.texts[name].to_pylist() for name in ("source", "target"))
        others = {name: array.to_pylist() for name, array in block.others.items()}
        for place, line in enumerate(block.line.to_pylist()):
            cells = {name: values[place] for name, values in others.items()}
            rows.append(Row(source[place], target[place], cells, entry.files[0].name, line))
    assert reader.bytes_read == reader.total_bytes
    return rows


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("kind", ["tsv", "tsv without a header", "text"])
@pytest.mark.parametrize("is_whole", [True, False])
def test_the_rows_are_those_of_the_reader_of_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_seed: int, end: str, kind: str, is_whole: bool
) -> None:
    monkeypatch.setattr(plain_blocks, "BLOCK_BYTES", 64)
    generator = random.Random(fresh_seed)
    cells = [["".join(generator.choices(PIECES, k=generator.randrange(4))) for _ in range(3)] for _ in range(50)]
    last = end if is_whole else ""
    if kind == "text":
        for place, name in enumerate(("a.txt", "b.txt")):
            (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + (end.join(row[place] + "." for row in cells) + last).encode())
        reader = _reader(tmp_path, "a.txt", "b.txt")
    else:
        head = [["target", "kind", "source"]] if kind == "tsv" else []
        (tmp_path / "a.tsv").write_bytes((end.join("\t".join(row) + "." for row in head + cells) + last).encode())
        columns = ["target", "kind", "source."] if head else ["target", "kind", "source"]
        options = {"source_column": columns[2]} if head else {"header": False, "columns": columns}
        reader = _reader(tmp_path, "a.tsv", **options)
    by_line = list(reader)
    assert len(by_line) == 50
    assert _rows_in_blocks(reader) == by_line


@pytest.mark.parametrize(
    "data",
    [
        b"source\ttarget\na\0\tb\n",
        b"source\ttarget\na\tb\rc\n",
        b"source\ttarget\na\tb\r",
        b"source\ttarget\n\xff\tb\n",
        b"source\ttarget\na\n",
        b"source\ttarget\na\tb\tc\n",
        b"source\ttarget\na\tb\n\n",
        b"sauce\ttarget\na\tb\n",
    ],
)
def test_odd_files_are_left_to_the_reader_of_lines(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tsv").write_bytes(data)
    reader = _reader(tmp_path, "a.tsv")
    with pytest.raises(OddFile):
        list(iterate_blocks(reader, reader.entries[0]))
    assert reader.bytes_read == 0


def test_text_files_of_different_lengths_are_odd(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a\nb\n")
    (tmp_path / "b.txt").write_bytes(b"a\n")
    reader = _reader(tmp_path, "a.txt", "b.txt")
    with pytest.raises(OddFile):
        list(iterate_blocks(reader, reader.entries[0]))


@pytest.mark.parametrize("name", ["a.txt", "b.txt"])
def test_a_text_file_that_begins_as_another_format_is_left_to_the_reader_of_lines(tmp_path: Path, name: str) -> None:
    for other in ("a.txt", "b.txt"):
        (tmp_path / other).write_bytes(b"PAR1 text\n" if other == name else b"text\n")
    reader = _reader(tmp_path, "a.txt", "b.txt")
    with pytest.raises(OddFile):
        list(iterate_blocks(reader, reader.entries[0]))
    with pytest.raises(CorpusError, match=r"a Parquet file, but its name does not end in \.parquet"):
        list(reader)


def test_a_line_that_the_reader_of_lines_refuses_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_blocks, "LONGEST_LINE", 64)
    (tmp_path / "a.tsv").write_text("source\ttarget\na\tb\n" + "x" * 63 + "\ty\nc\td\n", encoding="utf-8")
    with pytest.raises(OddFile):
        _rows_in_blocks(_reader(tmp_path, "a.tsv"))
