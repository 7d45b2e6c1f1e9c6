from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.corpus.lines import CorpusFile
from seq2seq_core.corpus_survey.files.aligned_files import find_aligned
from seq2seq_core.corpus_survey.files.dialects import Dialect, find_dialect
from seq2seq_core.corpus_survey.files.file_names import language_pair, named_pair, split_of
from seq2seq_core.corpus_survey.files.file_samples import head_bytes, read_sample
from seq2seq_core.corpus_survey.files.folder_files import FolderFile
from seq2seq_core.corpus_survey.files.headers import find_header

TEXTS = [
    ("Well, yes.", "Nun, ja."),
    ("A | B", "A; B"),
    ("no", "nein"),
    ('He said "no"', "Er sagte nein"),
    ("one, two, three", "eins"),
]


@pytest.mark.parametrize(
    ("ending", "lines", "expected"),
    [
        (".tsv", ["\t".join(pair) for pair in TEXTS], Dialect("tsv", "\t", 2)),
        (".txt", ["\t".join(pair) for pair in TEXTS], Dialect("tsv", "\t", 2)),
        (".txt", [" ||| ".join(pair) for pair in TEXTS], Dialect("tsv", " ||| ", 2)),
        (".csv", ['"Well, yes.","Nun, ja."', "no,nein", '"a ""b""",c'], Dialect("csv", ",", 2)),
        (".csv", ["Well;Nun", '"yes; no";"ja, nein"', "a;b"], Dialect("csv", ";", 2)),
        (".csv", ["Well\tNun, ja", "a\tb", "c\td"], Dialect("csv", "\t", 2)),
        (".tsv", ['"Well"\t"Nun"', '"a\tb"\t"c"'], Dialect("csv", "\t", 2)),
        (".tsv", ['"Go!" he said\tx', "a\tb"], Dialect("tsv", "\t", 2)),
        (".tsv", ['"Well\tNun', "a\tb", '"c\td', "e\tf"], Dialect("tsv", "\t", 2)),
        (".csv", ['"Well,Nun', "a,b", '"c,d', "e,f"], Dialect("tsv", ",", 2)),
        (".csv", ['"a","b"', '"c","d"', '"e"x,"f"'], Dialect("csv", ",", 2)),
        (".data", ["a|b|c", "d|e|f"], Dialect("tsv", "|", 3)),
        (".json", ['{"a": "b"}', '{"a": "c"}'], Dialect("jsonl")),
        (".txt", ["Well, this is prose.", "It has no cells; none.", "None."], None),
        (".txt", ["one", "two"], None),
        (".txt", [], None),
    ],
)
def test_the_dialect_of_lines(ending: str, lines: list[str], expected: Dialect | None) -> None:
    assert find_dialect(ending, lines) == expected


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([[["source", "target"], ["a", "b"]]], True),
        ([[["en", "de"], ["a", "b"]]], True),
        ([[["english", "german", "topic"], ["a", "b", "c"]]], True),
        ([[["Quelle", "Ziel"], ["a", "b"]], [["Quelle", "Ziel"], ["c", "d"]]], True),
        ([[["a", "b"], ["c", "d"], ["e", "f"]], [["a", "b"], ["c", "d"]]], False),
        ([[["a", "b"], ["c", "d"]], [["a", "b"], ["a", "f"]]], False),
        ([[["my own dear old cat", "b"], ["c", "d"]], [["my own dear old cat", "b"], ["e", "f"]]], False),
        ([[["the text", 'Ziel: "x"'], *([["a b", "c d"], ["b a", "d c"]] * 60)]], True),
        ([[["the text", "Ziel"], *([["a b", "c d"], ["b a", "d c"]] * 60), ["e", "f"]]], False),
        ([[["source", "source", "target"], ["a", "b", "c"]]], True),
        ([[["no", "no"], ["a", "b"]]], False),
        ([[["id", "text", "note", "text"], ["1", "a", "b", "c"]], [["id", "text", "note", "text"], ["2", "d", "e", "f"]]], True),
        ([[["the", "the"], ["a", "b"]], [["the", "the"], ["the", "f"]]], False),
        ([[["Frage", "Nummer"], ["a", "1"], ["b", "2"], ["c", "3"]]], True),
        ([[["", "source", "target"], ["0", "a", "b"]]], True),
        ([[["absent", "a p s"], ["abri", "a b r i"]]], False),
        ([[["word", "w ɜː d"], ["walk", "w ɔː k"]]], False),
        ([[["Hi.", "Salut."], ["Run!", "Cours !"]]], False),
        ([[["a", "b"], ["c", "d"]], [["e", "f"], ["g", "h"]]], False),
        ([[]], False),
    ],
)
def test_whether_a_table_has_a_header(tables: list[list[list[str]]], expected: bool) -> None:
    assert find_header(tables)[0] is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train.tsv", "train"), ("TRAIN.en.gz", "train"), ("validation-00000-of-00001.parquet", "dev"), ("newstest2014.de", "test"),
        ("valid/de.txt", "dev"), ("test_2016_flickr.tsv", "test"), ("eng.trn", "train"), ("devel.csv", "dev"),
        ("training/dev.tsv", "dev"), ("all.tsv", None), ("latest.tsv", None), ("contrain.tsv", None),
    ],
)  # fmt: skip
def test_the_split_that_a_name_tells(name: str, expected: str | None) -> None:
    assert split_of(name) == expected


def test_languages_that_stand_side_by_side() -> None:
    assert language_pair("multi30k_en_de_tok") == ("en", "de")
    assert language_pair("europarl-v7.de-en.en") == ("de", "en")
    assert language_pair("train.tsv") is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["id", "Source", "Target"], ("Source", "Target", "")),
        (["summary", "document"], ("document", "summary", "summarisation")),
        (["audio_path", "text"], ("audio_path", "text", "speech")),
        (["text", "summary"], ("text", "summary", "summarisation")),
        (["before", "after"], ("before", "after", "normalisation")),
        (["de", "en"], ("en", "de", "translation")),
        (["x", "y"], None),
    ],
)
def test_columns_whose_names_tell_source_and_target(names: list[str], expected: tuple[str, str, str] | None) -> None:
    assert named_pair(names) == expected


@pytest.mark.parametrize(
    ("names", "folder", "expected"),
    [
        (["train.de", "train.en"], "x", [("train.en", "train.de")]),
        (["train.de", "train.en"], "wmt_de_en", [("train.de", "train.en")]),
        (["a.de-en.de", "a.de-en.en"], "x", [("a.de-en.de", "a.de-en.en")]),
        (
            ["src-train.txt", "tgt-train.txt", "src-val.txt", "tgt-val.txt"],
            "x",
            [("src-train.txt", "tgt-train.txt"), ("src-val.txt", "tgt-val.txt")],
        ),
        (["train.target", "train.source"], "x", [("train.source", "train.target")]),
        (
            ["en/train.txt", "zul/train.txt", "en/dev.txt", "zul/dev.txt"],
            "x",
            [("en/dev.txt", "zul/dev.txt"), ("en/train.txt", "zul/train.txt")],
        ),
        (["train.txt", "dev.txt", "test.txt"], "x", []),
        (["words.txt", "notes.txt"], "x", []),
    ],
)
def test_files_that_are_aligned(names: list[str], folder: str, expected: list[tuple[str, str]]) -> None:
    found = find_aligned([FolderFile(Path(name), name, "text") for name in names], folder)
    assert [tuple(file.name for file in aligned.files) for aligned in found] == expected


def test_a_large_file_is_sampled_all_over(tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text("".join(f"{number:07d}\tx\n" for number in range(400_000)), encoding="utf-8")
    sample = read_sample(CorpusFile(path, path.name, str(path)), most_bytes=100_000)
    assert not sample.is_whole
    assert sample.num_lines == pytest.approx(400_000, rel=0.05)
    assert len(sample.head) == 10_000
    places = [int(line[:7]) for line in sample.others]
    assert max(places) > 380_000
    assert places == sorted(places)
    assert all(len(line) == 9 for line in sample.others)


def test_the_more_files_the_less_is_read_of_each() -> None:
    assert head_bytes(1) == 8 << 20
    assert head_bytes(100_000) == 64 << 10
