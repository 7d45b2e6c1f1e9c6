"""Folders from which no settings can be made: what the message says, and that nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.corpus_survey.proposed_settings import install_proposal
from seq2seq_core.corpus_survey.table_columns import LayoutChoice
from seq2seq_core.errors import UserError
from tests.made_corpora import make_corpus, write_lines, write_tones

ROWS = [f"word{number}\tWort{number}" for number in range(50)]


def _empty(folder: Path) -> None:
    (folder / ".hidden").write_text("x")


def _recordings(folder: Path) -> None:
    write_tones(folder / "one.wav", [1])
    write_lines(folder / "SOURCE.txt", ["found somewhere"])


def _pictures(folder: Path) -> None:
    write_lines(folder / "train.tsv", [f"p/{number}.png\tname {number}" for number in range(50)])


def _no_text(folder: Path) -> None:
    write_lines(folder / "train.tsv", [f"p/{number}.png\tp/{number}.jpg" for number in range(50)])


def _one_column(folder: Path) -> None:
    write_lines(folder / "words.txt", [f"word{number}" for number in range(50)])


def _few(folder: Path) -> None:
    write_lines(folder / "train.tsv", ROWS[:5])


def _ragged(folder: Path) -> None:
    write_lines(folder / "train.tsv", [*ROWS, "one\ttwo\tthree"])


def _not_utf8(folder: Path) -> None:
    (folder / "train.tsv").write_bytes("\n".join(ROWS).replace("Wort7\n", "Wört7\n").encode("latin-1"))


def _array(folder: Path) -> None:
    (folder / "data.json").write_text(json.dumps([{"source": "a", "target": "b"}], indent=1))


def _array_on_a_line(folder: Path) -> None:
    (folder / "data.json").write_text(json.dumps([{"source": f"a{n}", "target": "b"} for n in range(50)]))


def _one_column_of_a_table(folder: Path) -> None:
    write_lines(folder / "words.tsv", [f"word{number}" for number in range(50)])


def _uneven(folder: Path) -> None:
    write_lines(folder / "words.tsv", ["\t".join(["word"] * (1 + number % 3)) for number in range(50)])


def _nested(folder: Path) -> None:
    write_lines(folder / "train.jsonl", [json.dumps({"source": [f"a{n}"], "target": f"b{n}"}) for n in range(50)])


def _nested_turns(folder: Path) -> None:
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    write_lines(folder / "train.jsonl", [json.dumps({"messages": turns}) for _ in range(50)])


def _archives(folder: Path) -> None:
    (folder / "train.tsv.zst").write_bytes(b"any")
    (folder / "my memory.tmx").write_bytes(b"any")


def _two_encodings(folder: Path) -> None:
    for name, text in (("train", "Wört"), ("dev", "Straße")):
        lines = "\n".join(ROWS).replace("Wort", text).encode("latin-1")
        (folder / f"{name}.tsv").write_bytes(lines)


def _broken(folder: Path) -> None:
    write_lines(folder / "train.tsv", [*ROWS, "one", *ROWS[:3], "two"])
    write_lines(folder / "dev.tsv", [*ROWS[1:], "three"])


def _one_source(folder: Path) -> None:
    write_lines(folder / "all.tsv", [f"hello\tanswer {number}" for number in range(50)])


def _unequal(folder: Path) -> None:
    write_lines(folder / "train.en", [row.split("\t")[0] for row in ROWS])
    write_lines(folder / "train.de", [row.split("\t")[1] for row in ROWS[:-1]])


def _missing_recording(folder: Path) -> None:
    write_lines(folder / "train.tsv", [f"gone/{number}.wav\tsaid {number}" for number in range(50)])


def _mp3(folder: Path) -> None:
    write_lines(folder / "train.tsv", [f"{number}.mp3\tsaid {number}" for number in range(50)])


REFUSED: list[tuple[Callable[[Path], None], str]] = [
    (_empty, "found nothing; expected a table of pairs"),
    (_recordings, "found SOURCE.txt, 1 recordings; expected a table of pairs (.tsv .csv .jsonl .parquet)"),
    (_recordings, "recordings need a table that names them"),
    (_pictures, "no picture 'p/0.png'; expected names relative to that folder, such as pictures/a.png"),
    (_no_text, "expected a column with texts beside the pictures, got '1', '2'"),
    (_one_column, "found words.txt; expected a table of pairs"),
    (_few, "found 5 pairs to train on; expected at least 20"),
    (_ragged, "train.tsv:51: expected 2 columns (source, target), got 3: 'one | two | three'"),
    (_not_utf8, "train.tsv:8: not UTF-8: byte 0xF6"),
    (_array, "one JSON array; expected a JSON object a line: `jq -c '.[]' {folder}/data.json > {folder}/data.jsonl` converts it"),
    (
        _array_on_a_line,
        "one JSON array; expected a JSON object a line: `jq -c '.[]' {folder}/data.json > {folder}/data.jsonl` converts it",
    ),
    (_one_column_of_a_table, "words.tsv: the table has one column; expected two or more, separated by TAB: source and target"),
    (_uneven, "words.tsv: its rows have different numbers of cells; expected a source and a target, separated by TAB"),
    (_nested, "the column 'source' holds nested values; expected a text in each of two columns"),
    (
        _nested_turns,
        "the column 'messages' holds nested values; expected a text in each of two columns; a corpus of what it holds: `",
    ),
    (_archives, "train.tsv.zst: compressed by Zstandard, which is not read; `zstd -d {folder}/train.tsv.zst` converts it"),
    (_archives, "my memory.tmx: a translation memory (TMX), which is not read; `python3 -c "),
    (_two_encodings, "train.tsv: 50 lines cannot be read: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …"),
    (_two_encodings, "`iconv -f CP1252 -t UTF-8 {folder}/dev.tsv > converted` converts it"),
    (_broken, "train.tsv:51: expected 2 columns (source, target), got 1: 'one'\n  raw/train.tsv: 2 lines cannot be read: 51, 55"),
    (_broken, "dev.tsv:50: expected 2 columns (source, target), got 1: 'three'"),
    (_one_source, "50 pairs of 1 different sources cannot be split into train, dev and test"),
    (_unequal, "50 lines, but"),
    (_missing_recording, "no recording 'gone/0.wav'; expected names relative to that folder"),
    (_mp3, "0.mp3: expected a WAV or FLAC file; `ffmpeg -i IN"),
]


@pytest.mark.parametrize(("write", "message"), REFUSED, ids=[write.__name__[1:] for write, _ in REFUSED])
def test_a_folder_without_a_corpus_is_refused(tmp_path: Path, write: Callable[[Path], None], message: str) -> None:
    paths, folder = Paths(tmp_path), tmp_path / "raw"
    folder.mkdir()
    write(folder)
    with pytest.raises(UserError) as caught:
        install_proposal(paths, folder, None, "", force=False)
    assert message.replace("{folder}", str(folder)) in str(caught.value)
    assert not paths.params.exists()


@pytest.mark.parametrize(
    ("corpus", "task", "source", "message"),
    [
        ("spelling", "cooking", "", "--task: must be one of translation, transliteration"),
        ("spelling", "speech", "", "--task: speech needs a column with names of .wav or .flac files, got none"),
        ("spelling", "synthesis", "", "--task: synthesis needs a column with names of sound files, got none"),
        ("speech", "translation", "", "--task: must be speech where the sources are recordings, got 'translation'"),
        ("captions", "speech", "", "--task: must be lines or captions where the sources are pictures, got 'speech'"),
        ("spelling", "lines", "", "--task: lines needs a column with names of picture files, got none"),
        (
            "semicolons",
            "",
            "french",
            "--source: must be one of the columns 'id', 'english', 'german', 'domain', or a number from 1 to 4",
        ),
    ],
)
def test_a_choice_that_does_not_fit_is_refused(tmp_path: Path, corpus: str, task: str, source: str, message: str) -> None:
    folder = make_corpus(corpus, tmp_path / corpus)
    with pytest.raises(UserError) as caught:
        install_proposal(Paths(tmp_path), folder, None, task, force=False, chosen=LayoutChoice(source))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("corpus", "source", "target", "message"),
    [
        ("semicolons", "1", "1", "--source, --target: must be different from one another, got '1' for both"),
        (
            "semicolons",
            "english",
            "2",
            "--source, --target: must be different columns, got 'english' and '2', which are one column",
        ),
        ("aligned_splits", "en", "EN", "--source, --target: must be different from one another, got 'en' for both"),
    ],
)
def test_one_column_for_both_sides_is_refused(tmp_path: Path, corpus: str, source: str, target: str, message: str) -> None:
    folder = make_corpus(corpus, tmp_path / corpus)
    with pytest.raises(UserError) as caught:
        install_proposal(Paths(tmp_path), folder, None, "", force=False, chosen=LayoutChoice(source, target))
    assert str(caught.value).endswith(message)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder or file; name the corpus with --corpus FOLDER"):
        install_proposal(Paths(tmp_path), tmp_path / "no", None, "", force=False)


def test_a_nested_column_beside_two_texts_is_passed_over(tmp_path: Path) -> None:
    paths, folder = Paths(tmp_path), tmp_path / "raw"
    folder.mkdir()
    rows = [{"meta": {"ts": n}, "asked": f"how is day {n}", "answer": f"day {n} is fine"} for n in range(60)]
    write_lines(folder / "train.jsonl", [json.dumps(row) for row in rows])
    install_proposal(paths, folder, None, "", force=False)
    corpus = load_settings(paths.params).corpus
    assert (corpus.source_column, corpus.target_column) == ("asked", "answer")
