"""Broken lines of every format: the first of a file is named, the others are counted, and good rows follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.file_faults.broken_lines import MOST_BROKEN, BrokenLines
from seq2seq_core.corpus.monolingual import open_monolingual
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.errors import CorpusError

TURNS = [
    {"conversation": "c", "turn": 1, "text": "a"},
    {"conversation": "c", "turn": "x", "text": "b"},
    {"conversation": "c", "turn": 2, "text": "d"},
    {"conversation": "c", "turn": 2, "text": "e"},
]
BROKEN: dict[str, tuple[str, bytes, dict[str, Any], list[str], list[str]]] = {
    "tsv": (
        "c.tsv",
        b"source\ttarget\na\tb\nc\n\xe9\tf\ng\th\n",
        {},
        ["a", "\ufffd", "g"],
        ["corpus/c.tsv:3: expected 2 columns (source, target), got 1: 'c'", "corpus/c.tsv: 2 lines cannot be read: 3, 4"],
    ),
    "csv": (
        "c.csv",
        b'source,target\na,b\n"c"x,d\ne\n"g\nh",i\n',
        {},
        ["a", "g\nh"],
        [
            "corpus/c.csv:3: the row that begins here is not valid CSV (',' expected after '\"'); expected quotes as in RFC 4180",
            "corpus/c.csv: 2 lines cannot be read: 3, 4",
        ],
    ),
    "jsonl": (
        "c.jsonl",
        b'{"source": "a", "target": "b"}\n{"source": 1, "target": "b"}\n[]\n{"source": "c", "target": "d"}\n',
        {},
        ["a", "c"],
        ["corpus/c.jsonl:2: expected a text in 'source', got 1", "corpus/c.jsonl: 2 lines cannot be read: 2, 3"],
    ),
    "turns": (
        "c.jsonl",
        "".join(json.dumps(turn) + "\n" for turn in TURNS).encode(),
        {"conversations": {}},
        ["a"],
        ["corpus/c.jsonl:2: expected a number in 'turn', got 'x'", "corpus/c.jsonl: 2 lines cannot be read: 2, 4"],
    ),
}


def _read(root: Path, corpus: CorpusSection) -> tuple[list[str], list[str]]:
    """The sources of train, and the faults."""
    broken = BrokenLines()
    reader = SplitReader(corpus, root, "train")
    rows = [row for entry in reader.entries for row in broken.collect(reader.iterate_entry(entry, broken))]
    return [row.source for row in rows], list(map(str, broken.faults()))


def _corpus(*entries: object, **layout: Any) -> CorpusSection:
    return CorpusSection.model_validate({"path": "corpus", "files": {"train": list(entries)}, **layout})


@pytest.mark.parametrize("kind", BROKEN)
def test_reading_goes_on_behind_a_broken_line(tmp_path: Path, kind: str) -> None:
    name, data, layout, sources, faults = BROKEN[kind]
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / name).write_bytes(data)
    corpus = _corpus(name, **layout)
    assert _read(tmp_path, corpus) == (sources, faults)
    with pytest.raises(CorpusError) as caught:
        list(SplitReader(corpus, tmp_path, "train"))
    assert str(caught.value) == faults[0], "without a collector the first one is raised"


@pytest.mark.parametrize("kind", ["tsv", "csv", "jsonl"])
def test_broken_lines_are_set_aside_up_to_a_share(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    name, data, layout, sources, faults = BROKEN[kind]
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / name).write_bytes(data)
    kept = [source for source in sources if source != "\ufffd"]  # two lines of four are broken
    accepting = SplitReader(_corpus(name, **layout, max_malformed_fraction=0.5), tmp_path, "train")
    assert [row.source for row in accepting] == kept
    assert caplog.messages == [f"{name}: 2 lines cannot be read and are set aside"]
    with pytest.raises(CorpusError) as caught:
        list(SplitReader(_corpus(name, **layout, max_malformed_fraction=0.49), tmp_path, "train"))
    assert str(caught.value) == faults[0]


def test_the_lines_of_aligned_files_are_set_aside_together(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "c.en").write_bytes(b"one\n\xff\nthree\nfour\nfive\n")
    (tmp_path / "corpus" / "c.de").write_bytes(b"eins\nzwei\n\xe4\nvier\nf\xc3\xbcnf\n")
    reader = SplitReader(_corpus(["c.en", "c.de"], max_malformed_fraction=0.5), tmp_path, "train")
    assert [(row.source, row.target, row.line) for row in reader] == [("one", "eins", 1), ("four", "vier", 4), ("five", "fünf", 5)]
    (tmp_path / "corpus" / "c.de").write_bytes(b"eins\n")
    with pytest.raises(CorpusError, match=r"c\.en: 5 lines, but corpus/c\.de has 1"):
        list(reader)


def test_reading_goes_on_behind_a_row_without_a_text_in_parquet(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    table = pyarrow.table({"source": ["a", None, "c", None], "target": ["b", "b", "d", "e"]})
    pyarrow.parquet.write_table(table, tmp_path / "corpus" / "c.parquet")
    faults = ["corpus/c.parquet:2: expected a text in 'source', got null", "corpus/c.parquet: 2 lines cannot be read: 2, 4"]
    assert _read(tmp_path, _corpus("c.parquet")) == (["a", "c"], faults)


def test_aligned_files_stay_aligned_and_each_names_its_own_lines(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "c.en").write_bytes(b"one\n\xff\nthree\n\xfe\n")
    (tmp_path / "corpus" / "c.de").write_bytes(b"eins\nzwei\n\xe4\nvier\n")
    sources, faults = _read(tmp_path, _corpus(["c.en", "c.de"]))
    assert sources == ["one", "\ufffd", "three", "\ufffd"]
    assert [fault.split(":")[:2] for fault in faults] == [
        ["corpus/c.en", "2"],
        ["corpus/c.en", " 2 lines cannot be read"],
        ["corpus/c.de", "3"],
    ]


def test_sentences_go_on_behind_a_broken_line(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "m.jsonl").write_text('{"t": "a"}\n{"t": 1}\n{"t": "c"}\n', encoding="utf-8")
    monolingual = [{"file": "m.jsonl", "language": "en", "column": "t"}]
    (reader,) = open_monolingual(_corpus("m.jsonl", monolingual=monolingual), tmp_path)
    broken = BrokenLines()
    assert [row.source for row in broken.collect(reader.iterate_entry(reader.entries[0], broken))] == ["a", "c"]
    assert list(map(str, broken.faults())) == ["corpus/m.jsonl:2: expected a JSON object with a text in 't'"]


def test_a_file_of_broken_lines_alone_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "c.tsv").write_text("source\ttarget\n" + "x\n" * (MOST_BROKEN + 500), encoding="utf-8")
    sources, faults = _read(tmp_path, _corpus("c.tsv"))
    assert sources == []
    assert faults[1] == "corpus/c.tsv: at least 10,000 lines cannot be read: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …"
