"""Monolingual files: what is read from each layout, and every fault with its place."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.monolingual import open_monolingual
from seq2seq_core.errors import CorpusError

WriteFile = Callable[[str, bytes], Path]
Read = Callable[..., dict[str, list[tuple[str, str, int]]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """The texts of the named files by split, with file and line."""

    def run(*items: dict[str, Any]) -> dict[str, list[tuple[str, str, int]]]:
        files = {"train": [], "dev": ["d.tsv"], "test": ["t.tsv"]}
        corpus = CorpusSection.model_validate({"path": "corpus", "files": files, "monolingual": list(items)})
        readers = open_monolingual(corpus, tmp_path)
        rows = {reader.split: list(reader) for reader in readers}
        assert all(row.source == row.target and not row.columns for own in rows.values() for row in own)
        assert all(reader.bytes_read == reader.total_bytes for reader in readers)
        return {split: [(row.source, row.file, row.line) for row in own] for split, own in rows.items()}

    return run


def test_lines_of_text_files_are_sentences_of_their_language(write_file: WriteFile, read: Read) -> None:
    write_file("a.txt", b"one\ttwo\r\n three\n")
    write_file("b.en", b"four")
    write_file("c.txt.gz", gzip.compress("fünf\n".encode()))
    items = [{"file": name, "language": language} for name, language in (("a.txt", "en"), ("c.txt.gz", "de"), ("b.en", "en"))]
    assert read(*items) == {
        "monolingual.en": [("one\ttwo", "a.txt", 1), (" three", "a.txt", 2), ("four", "b.en", 1)],
        "monolingual.de": [("fünf", "c.txt.gz", 1)],
    }


def test_one_column_of_a_table_holds_the_sentences(write_file: WriteFile, read: Read) -> None:
    write_file("a.tsv", b"id\ttext\n1\tone\n2\t\n")
    write_file("b.tsv", b"one\teins\ntwo\tzwei\n")
    write_file("c.jsonl", b'{"id": 1, "text": "uno"}\n')
    items: list[dict[str, Any]] = [
        {"file": "a.tsv", "language": "en", "column": "text"},
        {"file": "b.tsv", "language": "de", "column": 2},
        {"file": "b.tsv", "language": "en", "column": 1},
        {"file": "c.jsonl", "language": "es", "column": "text"},
    ]
    assert read(*items) == {
        "monolingual.en": [("one", "a.tsv", 2), ("", "a.tsv", 3), ("one", "b.tsv", 1), ("two", "b.tsv", 2)],
        "monolingual.de": [("eins", "b.tsv", 1), ("zwei", "b.tsv", 2)],
        "monolingual.es": [("uno", "c.jsonl", 1)],
    }


@pytest.mark.parametrize(
    ("name", "data", "column", "fault"),
    [
        ("a.tsv", b"id\ttext\n", "words",
         "corpus/a.tsv:1: no column 'words'; the columns are 'id', 'text'; expected it among them"),
        ("a.tsv", b"x\ty\nz\n", 2, "corpus/a.tsv:2: expected at least 2 columns, got 1"),
        ("a.jsonl", b'{"text": 3}\n', "text", "corpus/a.jsonl:1: expected a JSON object with a text in 'text'"),
        ("a.jsonl", b"{\n", "text", "corpus/a.jsonl:1: not valid JSON (Expecting property name enclosed in double quotes: line 2 "
         "column 1 (char 2)); expected one JSON object a line"),
        ("a.tsv", b"x\n", None,
         "corpus/a.tsv: expected corpus.monolingual to name the column of the sentences, as .tsv files have several"),
        ("a.csv", b"x\n", "x",
         "corpus/a.csv: expected plain text, TSV or JSON lines in corpus.monolingual, got a name that ends in .csv"),
    ],
)  # fmt: skip
def test_every_fault_of_a_layout_is_named(
    write_file: WriteFile, read: Read, name: str, data: bytes, column: object, fault: str
) -> None:
    write_file(name, data)
    with pytest.raises(CorpusError) as caught:
        read({"file": name, "language": "en", "column": column})
    assert str(caught.value) == fault


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "the file is empty"),
        (b"\xff\xfeo\0n\0e\0", "begins with the byte-order mark of UTF-16LE"),
        (b"one\rtwo\rthree\r", "lines end in a bare carriage return"),
        (b"one\n\xff\n", "not UTF-8: byte 0xFF at offset 4"),
    ],
)
def test_files_that_are_no_text_are_refused_as_other_files_are(write_file: WriteFile, read: Read, data: bytes, fault: str) -> None:
    write_file("a.txt", data)
    with pytest.raises(CorpusError, match=fault):
        read({"file": "a.txt", "language": "en"})


def test_a_missing_file_is_named_with_its_setting(write_file: WriteFile, read: Read) -> None:
    write_file("b.txt", b"x\n")
    with pytest.raises(CorpusError, match=r"^corpus/a\.txt: no such file \(corpus\.monolingual\); the folder holds b\.txt; "):
        read({"file": "a.txt", "language": "en"})
