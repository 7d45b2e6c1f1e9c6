from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from seq2seq_core.config.corpus import CorpusFormat, CorpusSection
from seq2seq_core.corpus.reading import FORMATS_BY_ENDING, STREAM_READERS, SplitReader, find_head_faults
from seq2seq_core.errors import CorpusError

from ..conftest import ReadTrain, WriteFile

REMEDY = "`s2s sample-corpus` makes the bundled sample, `dvc pull` fetches a corpus that DVC tracks"


def _reader(tmp_path: Path, files: dict[str, list[object]], split: str = "train", **layout: object) -> SplitReader:
    return SplitReader(CorpusSection.model_validate({"path": "corpus", "files": files, **layout}), tmp_path, split)


def test_a_missing_folder_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        _reader(tmp_path, {"train": ["c.tsv"]})
    assert str(caught.value) == f"corpus: no such folder (corpus.path); expected a folder with the corpus files: {REMEDY}"


def test_a_missing_file_says_what_is_there(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("b.tsv", b"x")
    write_file("a.tsv", b"x")
    with pytest.raises(CorpusError) as caught:
        _reader(tmp_path, {"train": ["c.tsv"]})
    assert str(caught.value) == f"corpus/c.tsv: no such file (corpus.files.train); the folder holds a.tsv, b.tsv; {REMEDY}"


def test_a_missing_file_in_an_empty_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    with pytest.raises(CorpusError) as caught:
        _reader(tmp_path, {"train": ["c.tsv"]})
    assert str(caught.value) == f"corpus/c.tsv: no such file (corpus.files.train); the folder holds no file; {REMEDY}"


def test_each_format_of_the_settings_is_read_and_known_by_its_ending() -> None:
    formats = set(get_args(CorpusFormat)) - {"auto", "text"}
    assert formats == {*STREAM_READERS, "parquet"} == set(FORMATS_BY_ENDING.values())


def test_a_text_file_alone_is_refused(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("c.en", b"x\n")
    with pytest.raises(CorpusError) as caught:
        _reader(tmp_path, {"train": ["c.en"]})
    assert str(caught.value) == (
        "corpus/c.en: a text file alone holds no pairs; expected [source_file, target_file] in corpus.files.train, "
        f"or a file in {', '.join(FORMATS_BY_ENDING)}"
    )


def test_two_files_in_another_format_are_refused(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("a", b"x\n")
    write_file("b", b"x\n")
    with pytest.raises(CorpusError) as caught:
        _reader(tmp_path, {"train": [["a", "b"]]}, format="csv")
    assert str(caught.value) == (
        "corpus/a: two files are named together in corpus.files.train, which needs corpus.format text, got csv"
    )


def test_packed_parquet_is_refused(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("c.parquet.gz", b"x")
    with pytest.raises(CorpusError) as caught:
        _reader(tmp_path, {"train": ["c.parquet.gz"]})
    assert str(caught.value) == (
        "corpus/c.parquet.gz: a Parquet file is compressed inside and cannot be read through gzip; unpack it first"
    )


@pytest.mark.parametrize("name", ["../c.tsv", "/c.tsv", "a/../../c.tsv", ""])
def test_a_file_outside_of_the_folder_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=r"must be names inside the corpus folder \(corpus\.path\), got "):
        CorpusSection.model_validate({"path": "corpus", "files": {"train": [name]}})


def test_a_named_format_overrides_the_ending(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.txt", b"source\ttarget\na\tb\n")
    assert [row.source for row in read_train("c.txt", format="tsv")] == ["a"]


def test_several_files_are_read_in_order_and_again_at_every_iteration(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("a.tsv", b"source\ttarget\na\tb\n")
    write_file("b.jsonl", b'{"source": "c", "target": "d"}\n')
    reader = _reader(tmp_path, {"train": ["b.jsonl", "a.tsv"]})
    for _ in range(2):
        assert [(row.file, row.source) for row in reader] == [("b.jsonl", "c"), ("a.tsv", "a")]
        assert reader.bytes_read == reader.total_bytes == 18 + 31


def test_a_split_without_files_has_no_rows(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("a.tsv", b"source\ttarget\na\tb\n")
    reader = _reader(tmp_path, {"train": ["a.tsv"]}, "dev")
    assert list(reader) == []
    assert reader.entries == []


def test_an_absolute_folder_is_taken_as_it_is(tmp_path: Path, write_file: WriteFile) -> None:
    folder = write_file("a.tsv", b"source\ttarget\na\tb\n").parent
    corpus = CorpusSection.model_validate({"path": str(folder), "files": {"train": ["a.tsv"]}})
    assert len(list(SplitReader(corpus, Path("/elsewhere"), "train"))) == 1


def test_the_digest_follows_names_and_bytes(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("a.tsv", b"source\ttarget\na\tb\n")
    write_file("b.tsv", b"source\ttarget\na\tb\n")
    first = _reader(tmp_path, {"train": ["a.tsv"]}).digest()
    assert first == _reader(tmp_path, {"train": ["a.tsv"]}).digest()
    assert first != _reader(tmp_path, {"train": ["b.tsv"]}).digest()
    write_file("a.tsv", b"source\ttarget\na\tc\n")
    assert first != _reader(tmp_path, {"train": ["a.tsv"]}).digest()


def test_every_fault_of_two_aligned_files_is_found_at_once(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("a.de", "x\r\n".encode("utf-16"))
    write_file("a.en", b"x\ry\r")
    (entry,) = _reader(tmp_path, {"train": [["a.de", "a.en"]]}).entries
    faults = [str(fault) for fault in find_head_faults(entry)]
    assert [fault[:50] for fault in faults] == [
        "corpus/a.de:1: the file begins with the byte-order",
        "corpus/a.en:1: lines end in a bare carriage return",
    ]
    assert entry.name == "a.de + a.en"


def test_files_of_several_languages_are_one_split_with_their_columns(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("es.tsv", b"source\ttarget\tgenre\nuno\tone\tlaw\n")
    write_file("a.de", b"eins\n")
    write_file("a.en", b"one\n")
    files: list[object] = [
        {"file": "es.tsv", "columns": {"source_language": "es", "target_language": "en"}},
        {"file": ["a.de", "a.en"], "columns": {"source_language": "de"}},
        "es.tsv",
    ]
    rows = list(_reader(tmp_path, {"train": files}))
    assert [(row.source, row.file, row.columns) for row in rows] == [
        ("uno", "es.tsv", {"genre": "law", "source_language": "es", "target_language": "en"}),
        ("eins", "a.de", {"source_language": "de"}),
        ("uno", "es.tsv", {"genre": "law"}),
    ]


def test_a_constant_column_that_the_file_has_itself_is_refused(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("es.tsv", b"source\ttarget\tgenre\nuno\tone\tlaw\n")
    with pytest.raises(CorpusError) as caught:
        list(_reader(tmp_path, {"train": [{"file": "es.tsv", "columns": {"genre": "news"}}]}))
    assert str(caught.value) == (
        "corpus/es.tsv:2: the file has a column 'genre' of its own; expected another name in the columns that "
        "corpus.files.train gives it"
    )


@pytest.mark.parametrize("name", ["source", "target", "text"])
def test_a_constant_column_must_not_be_one_of_the_pair(name: str) -> None:
    with pytest.raises(ValidationError, match=rf"columns of a\.tsv must be other than source, target and those .*, got '{name}'"):
        CorpusSection.model_validate(
            {"path": "x", "source_column": "text", "files": {"train": [{"file": "a.tsv", "columns": {name: "x"}}]}}
        )
