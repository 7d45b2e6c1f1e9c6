from __future__ import annotations

import gzip
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from seq2seq_core.errors import UserError
from seq2seq_core.lineage import corpus_rows
from seq2seq_core.lineage.corpus_rows import CorpusRows, hash_corpus, read_rows_at
from seq2seq_core.lineage.row_changes import FileRows, compare_corpora


def compared(tmp_path: Path, before: list[str], after: list[str]) -> list[FileRows]:
    for name, rows in (("before", before), ("after", after)):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "train.tsv").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    old, new = (hash_corpus(tmp_path / name, ["train.tsv"]) for name in ("before", "after"))
    assert old is not None
    assert new is not None
    return compare_corpora(old, new)


def shown(rows: FileRows) -> list[tuple[str, int, int]]:
    return [(change.kind, change.line, change.line_before) for change in rows.changes]


def test_added_removed_and_changed_rows_have_their_lines(tmp_path: Path) -> None:
    (rows,) = compared(tmp_path, ["head", "a", "b", "c", "d", "e"], ["head", "new", "a", "B", "c", "d", "e", "end"])
    assert shown(rows) == [("added", 2, 0), ("changed", 4, 3), ("added", 8, 0)]
    assert rows.counts() == {"added": 2, "removed": 0, "changed": 1}
    (rows,) = compared(tmp_path, ["a", "b", "b", "b", "c"], ["a", "b", "c"])
    assert shown(rows) == [("removed", 3, 0), ("removed", 4, 0)]


def test_rows_that_only_moved_are_neither_added_nor_removed(tmp_path: Path) -> None:
    (rows,) = compared(tmp_path, ["a", "b", "c"], ["c", "a", "x", "b"])
    assert (rows.is_reordered, shown(rows)) == (True, [("added", 3, 0)])


def test_equal_corpora_have_no_difference_whatever_the_ends_of_their_lines(tmp_path: Path) -> None:
    assert compared(tmp_path, ["a", "b", "a"], ["a\r", "b\r", "a\r"]) == []
    assert compared(tmp_path, [], []) == []


def test_the_changes_make_the_later_corpus_of_the_earlier_one(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(30):
        before = [str(chance.randrange(12)) for _ in range(chance.randrange(40))]
        after = [row for row in before if chance.random() > 0.2]
        for _ in range(chance.randrange(5)):
            after.insert(chance.randrange(len(after) + 1), f"new {chance.randrange(3)}")
        made, added = [*before], list[tuple[int, str]]()
        for rows in compared(tmp_path, before, after):
            gone = {change.line if change.kind == "removed" else change.line_before for change in rows.changes}
            made = [row for line, row in enumerate(before, start=1) if line not in gone]
            added = [(change.line, after[change.line - 1]) for change in rows.changes if change.kind != "removed"]
            if rows.is_reordered:
                made = sorted(made)
        for line, row in sorted(added):
            made.insert(line - 1, row)
        assert sorted(made) == sorted(after)


def test_rows_of_compressed_and_of_parquet_files_are_read(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.tsv.gz", "wt") as file:
        file.write("one\ntwo\n")
    (tmp_path / "a.tsv").write_text("one\ntwo")
    parquet.write_table(pa.table({"source": ["x", "y"], "target": ["1", None]}), tmp_path / "a.parquet")
    rows = hash_corpus(tmp_path, ["a.tsv.gz", "a.tsv", "a.parquet"])
    assert rows is not None
    assert np.array_equal(rows.files["a.tsv.gz"], rows.files["a.tsv"])
    assert read_rows_at(tmp_path / "a.parquet", {2}) == {2: '{"source": "y", "target": null}'}
    assert read_rows_at(tmp_path / "a.tsv.gz", {1, 9}) == {1: "one"}


def test_the_hashes_survive_their_file_and_damage_is_named(tmp_path: Path) -> None:
    (tmp_path / "été.tsv").write_text("a\nb\n")
    rows = hash_corpus(tmp_path, ["été.tsv"])
    assert rows is not None
    content = rows.to_bytes()
    assert np.array_equal(CorpusRows.from_bytes(content).files["été.tsv"], rows.files["été.tsv"])
    for damaged in (content[:40], b"no archive"):
        with pytest.raises(UserError, match="the hashes of the corpus rows cannot be read"):
            CorpusRows.from_bytes(damaged)


def test_a_corpus_of_too_many_rows_is_not_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_rows, "MAX_ROWS", 2)
    (tmp_path / "a.tsv").write_text("a\nb\nc\n")
    (tmp_path / "b.tsv").write_text("a\nb\n")
    assert hash_corpus(tmp_path, ["a.tsv"]) is None
    assert hash_corpus(tmp_path, ["b.tsv"]) is not None
