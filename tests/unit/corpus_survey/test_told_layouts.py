"""What files, and the user, tell of a layout: lines at the head, a header, one file, nested columns."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.corpus_survey.proposed_settings import install_proposal
from seq2seq_core.corpus_survey.table_columns import LayoutChoice
from seq2seq_core.errors import UserError
from tests.made_corpora import ENGLISH, GERMAN, make_corpus, sentences, write_lines

Propose = Callable[..., tuple[Settings, list[str]]]
PAIRS = list(zip(sentences(ENGLISH, 60), sentences(GERMAN, 60), strict=True))
HEADS: dict[str, tuple[list[str], str, dict[str, Any]]] = {
    "Anki": (
        ["#separator:tab", "#html:true", "#columns:Front\tBack"],
        "\t",
        {"comment_prefix": "#", "header": False, "columns": ["Front", "Back"], "source_column": "Front", "target_column": "Back"},
    ),
    "Anki without columns": (
        ["#separator:Semicolon", "#html:false"],
        ";",
        {"comment_prefix": "#", "header": False, "delimiter": ";"},
    ),
    "Excel": (["sep=;", "english;german"], ";", {"comment_prefix": "sep=", "header": True, "delimiter": ";"}),
    "comments": (["# made by a tool", "# on a Monday"], "\t", {"comment_prefix": "#", "header": False}),
    "a commented header": (
        ["# made by a tool", "# english\tgerman"],
        "\t",
        {"comment_prefix": "#", "header": False, "columns": ["english", "german"], "source_column": "english"},
    ),
    "rows that begin with a hash": (
        ["#one tag\t#eine Marke", "#two tags\t#zwei Marken"],
        "\t",
        {"comment_prefix": "", "header": False},
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "raw"
    place.mkdir()
    return place


@pytest.fixture
def propose(tmp_path: Path) -> Propose:
    """Installs what is proposed for a folder or file."""

    def run(place: Path, **chosen: Any) -> tuple[Settings, list[str]]:
        paths = Paths(tmp_path)
        findings = install_proposal(paths, place, None, "", force=False, chosen=LayoutChoice(**chosen))
        return load_settings(paths.params), findings

    return run


def _pairs(settings: Settings, root: Path) -> list[tuple[str, str]]:
    return [(row.source, row.target) for row in SplitReader(settings.corpus, root, "train")]


@pytest.mark.parametrize("name", HEADS)
def test_lines_at_the_head_tell_the_layout(folder: Path, propose: Propose, name: str) -> None:
    head, delimiter, expected = HEADS[name]
    write_lines(folder / "cards.txt", [*head, *(delimiter.join(pair) for pair in PAIRS)])
    settings, findings = propose(folder)
    corpus = settings.corpus.model_dump()
    assert {key: corpus[key] for key in expected} == expected
    rows = [tuple(line.split("\t")) for line in head] if not expected["comment_prefix"] else []
    assert _pairs(settings, folder.parent) == [*rows, *PAIRS]
    assert [line for line in findings if line.startswith("head: ")] == [] or expected["comment_prefix"]
    assert any("texts may hold HTML" in line for line in findings) == (name == "Anki")


def test_the_first_row_is_shown_and_a_header_can_be_chosen(folder: Path, propose: Propose) -> None:
    write_lines(folder / "words.tsv", ["Frage eins\tAntwort eins", *("\t".join(pair) for pair in PAIRS)])
    settings, findings = propose(folder)
    assert 'first row: "Frage eins" -> "Antwort eins"' in findings
    assert (settings.corpus.header, len(_pairs(settings, folder.parent))) == (False, 61)
    settings, findings = propose(folder, header=True)
    assert f'first row: "{PAIRS[0][0]}" -> "{PAIRS[0][1]}"' in findings
    assert (settings.corpus.header, settings.corpus.source_column) == (True, "Frage eins")
    assert _pairs(settings, folder.parent) == PAIRS
    settings, _ = propose(folder, source="Frage eins")
    assert settings.corpus.header is True, "a column that the first row alone can name"


def test_a_header_that_looks_like_one_can_be_a_row(folder: Path, propose: Propose) -> None:
    write_lines(folder / "words.tsv", ["english\tgerman", *("\t".join(pair) for pair in PAIRS)])
    settings, _ = propose(folder, header=False)
    assert _pairs(settings, folder.parent)[0] == ("english", "german")
    settings, _ = propose(folder)
    assert "header: true" in (folder.parent / "params.yaml").read_text(encoding="utf-8"), "the choice stands in params.yaml"
    assert _pairs(settings, folder.parent) == PAIRS


def test_a_header_with_a_name_twice_is_refused(folder: Path, propose: Propose) -> None:
    write_lines(folder / "words.tsv", ["source\tsource\ttarget", *("\t".join((pair[0], *pair)) for pair in PAIRS)])
    with pytest.raises(UserError, match="the first row names 'source' more than once"):
        propose(folder)
    settings, _ = propose(folder, header=False)
    assert settings.corpus.columns == ["source", "target", "column_3"]


def test_files_that_are_parts_of_train_have_no_header_and_are_told(folder: Path, propose: Propose) -> None:
    for name, count in (("train", 60), ("dev", 20), ("test", 20)):
        write_lines(folder / f"{name}.tsv", ("\t".join(pair) for pair in PAIRS[:count]))
    settings, findings = propose(folder)
    assert settings.corpus.header is False
    for split in ("dev", "test"):
        assert any(line.startswith(f"leaks: 100 % of the pairs of {split} are in train too") for line in findings)


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("aligned_splits", "--header: must be left out, because two aligned text files have no header"),
        ("questions", "--header: must be left out, because each row has the names of its columns"),
        ("parquet", "--header: must be left out, because each row has the names of its columns"),
    ],
)
def test_a_header_is_refused_where_there_can_be_none(tmp_path: Path, propose: Propose, corpus: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        propose(make_corpus(corpus, tmp_path / "made"), header=True)
    assert message in str(caught.value)


def test_one_file_of_a_folder_is_a_corpus(folder: Path, propose: Propose) -> None:
    write_lines(folder / "my pairs.csv", ["english,german", *(",".join(pair) for pair in PAIRS)])
    write_lines(folder / "other.csv", ["a,b", *(",".join(pair) for pair in PAIRS[:30])])
    settings, findings = propose(folder / "my pairs.csv")
    assert settings.corpus.files.train == ["my pairs.csv"]
    assert (settings.corpus.path, settings.register_.model_name) == ("raw", "my-pairs")
    assert not any("other.csv" in line for line in findings)
    text = (folder.parent / "params.yaml").read_text(encoding="utf-8")
    assert "proposed by `s2s configure --corpus 'raw/my pairs.csv'`." in text


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_pairs_inside_a_nested_column_are_found(folder: Path, propose: Propose, kind: str) -> None:
    objects = [{"id": str(number), "lang": "x", "translation": {"en": en, "de": de}} for number, (en, de) in enumerate(PAIRS)]
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(objects), folder / "train.parquet")
    else:
        write_lines(folder / "train.jsonl", map(json.dumps, objects))
    settings, findings = propose(folder)
    assert (settings.corpus.source_column, settings.corpus.target_column) == ("translation.en", "translation.de")
    assert any(line.startswith("task: translation") for line in findings)
    assert _pairs(settings, folder.parent) == PAIRS
    settings, _ = propose(folder, source="translation.de", target="translation.en")
    assert _pairs(settings, folder.parent) == [pair[::-1] for pair in PAIRS]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_command_for_nested_turns_makes_a_corpus(folder: Path, propose: Propose, tmp_path: Path) -> None:
    roles = ("user", "assistant")
    chats = [{"messages": [{"role": role, "content": text} for role, text in zip(roles, pair, strict=True)]} for pair in PAIRS]
    write_lines(folder / "my chats.jsonl", map(json.dumps, chats))
    with pytest.raises(UserError) as caught:
        propose(folder)
    command = re.findall("`(.*?)`, then", str(caught.value))[0]
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    settings, _ = propose(tmp_path / "flat")
    assert settings.corpus.conversations is not None
    assert _pairs(settings, tmp_path) == PAIRS


def test_a_file_that_is_left_out_is_named_with_its_fault(folder: Path, propose: Propose) -> None:
    write_lines(folder / "train.tsv", ("\t".join(pair) for pair in PAIRS))
    (folder / "more.csv").write_bytes("größer,kleiner\n".encode("latin-1") * 5)
    (folder / "rest.zip").write_bytes(b"any")
    _, findings = propose(folder)
    left_out = [line for line in findings if line.startswith("left out: ")]
    assert len(left_out) == 2
    assert left_out[0].startswith(f"left out: {folder}/more.csv:1: not UTF-8: byte 0xF6")
    assert left_out[1] == f"left out: {folder}/rest.zip: a ZIP archive, which is not read; `unzip {folder}/rest.zip` converts it"


@pytest.mark.skipif(shutil.which("iconv") is None, reason="iconv is not installed")
def test_a_sheet_in_another_encoding_is_read_once_it_is_converted_as_told(tmp_path: Path, propose: Propose) -> None:
    folder = make_corpus("unicode_text", tmp_path / "made")
    with pytest.raises(UserError, match="the file begins with the byte-order mark of UTF-16LE") as caught:
        propose(folder)
    subprocess.run(re.findall("`(.*?)`", str(caught.value))[0], shell=True, cwd=tmp_path, check=True)
    shutil.move(tmp_path / "converted", folder / "Tabelle 1.txt")
    settings, _ = propose(folder)
    assert (settings.corpus.source_column, settings.corpus.target_column) == ("english", "german")
