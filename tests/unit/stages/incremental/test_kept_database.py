"""`validate` and `prepare` go on from the rows of their last run where a corpus has grown, and write what others would."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.corpus.preparation.split_rows import SplitRows
from seq2seq_core.corpus.rows import row_store
from seq2seq_core.corpus.rows.earlier_rows import KeptRecord
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.errors import CorpusError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages import kept_database
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.validate import run_validate
from tests.prepared_processes import CONTEXT, run_at_once

WORDS = ["Haus", "Tür", "<b>fett</b>", "&amp;", "12", "Ёлка", "\u200b", "x\u0308", "e\u0301t\u00e9", "Straße", "a  b", "!"]
Sections = dict[str, dict[str, Any]]
TSV: Sections = {"corpus": {"path": "raw", "files": {"train": ["a.tsv", "b.tsv"]}}}


def lines(number: int, seed: int) -> list[str]:
    """Pairs with every kind of dirt; many repeat others."""
    chance = random.Random(seed)
    texts = [" ".join(chance.choices(WORDS, k=chance.randrange(5))) for _ in range(number // 2)]
    return [f"{chance.choice(texts)}\t{chance.choice(texts)} {chance.randrange(4)}\n" for _ in range(number)]


def write(paths: Paths, name: str, rows: Sequence[str], header: str = "source\ttarget\n") -> None:
    path = paths.root / "raw" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + "".join(rows), encoding="utf-8", newline="")


def run(paths: Paths, stage: str, sections: Sections = TSV) -> dict[str, bytes]:
    """What a stage writes, after the outputs of the last run are removed."""
    for name in ("data", "reports"):
        shutil.rmtree(paths.root / name, ignore_errors=True)
    mend = ["escaped_text", "invisible_characters"]
    prepare = {"mend": mend, "leakage": "near", "dev_fraction": 0.1, "test_fraction": 0.1, "max_dropped_fraction": 1.0}
    values: dict[str, Any] = {
        "corpus": sections["corpus"],
        "validate": {name: {"limit": 1.0, "severity": "warning"} for name in ("duplicate_pairs", "conflicting_targets", "empty")},
        "prepare": prepare | sections.get("prepare", {}),
        "register": {"model_name": "m"},
        "runtime": {"progress": "plain"} | sections.get("runtime", {}),
    }
    if stage == "validate":
        run_validate(parse_settings(values, "test"), paths, NullRecorder())
    else:
        run_prepare(parse_settings(values, "test"), paths, NullRecorder())
    written = [path for name in ("data", "reports") for path in (paths.root / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(paths.root)): path.read_bytes() for path in written}


def run_from_nothing(paths: Paths, stage: str, sections: Sections = TSV) -> dict[str, bytes]:
    other = Paths(paths.root.parent / "other")
    shutil.rmtree(other.root, ignore_errors=True)
    shutil.copytree(paths.root / "raw", other.root / "raw")
    return run(other, stage, sections)


def write_corpus(paths: Paths) -> Paths:
    write(paths, "a.tsv", lines(200, seed=1))
    write(paths, "b.tsv", lines(100, seed=2))
    return paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A workspace with a corpus of two files."""
    return write_corpus(Paths(tmp_path / "workspace"))


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A workspace in which `prepare` has run once, to be copied, and what that wrote."""
    paths = write_corpus(Paths(tmp_path_factory.mktemp("first") / "workspace"))
    return paths.root, run(paths, "prepare", tolerant("a.tsv", "b.tsv"))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """By split, the rows that each run went on from."""
    found: list[dict[str, int]] = []
    go_on = RowStore.go_on

    def record(self: RowStore, kept: Any) -> None:
        go_on(self, kept)
        found.append(dict(self.known))

    monkeypatch.setattr(RowStore, "go_on", record)
    return found


def append(paths: Paths) -> None:
    write(paths, "b.tsv", lines(100, seed=2) + lines(40, seed=3) + lines(200, seed=1)[:20])


def add_file(paths: Paths) -> None:
    append(paths)
    write(paths, "c.tsv", [line.replace("\n", "\tnews\n") for line in lines(30, seed=4)], "target\tsource\ttopic\n")


def add_odd_line(paths: Paths) -> None:
    write(paths, "b.tsv", [*lines(100, seed=2), "with a NUL \0\tand more\n"])


def change_row(paths: Paths) -> None:
    write(paths, "a.tsv", [*lines(200, seed=1)[:-1], "another\tlast\n"])


def insert_row(paths: Paths) -> None:
    write(paths, "a.tsv", [*lines(200, seed=1), "one\tmore\n"])


def remove_rows(paths: Paths) -> None:
    write(paths, "b.tsv", lines(100, seed=2)[:-3])


def change_scripts(paths: Paths) -> None:
    write(paths, "b.tsv", [*lines(100, seed=2), *(f"Ёлка ёлка {number}\tЁжик {number}\n" for number in range(400))])


def add_notes(paths: Paths) -> None:
    write(paths, "NOTES.txt", ["no part of the corpus\n"])


CHANGES: list[tuple[Callable[[Paths], None], bool]] = [
    (add_notes, True),
    (append, True),
    (add_file, True),
    (change_scripts, True),
    (add_odd_line, False),
    (change_row, False),
    (insert_row, False),
    (remove_rows, False),
]


@pytest.mark.parametrize(
    ("stage", "change", "goes_on"),
    [("validate", change_scripts, True), *(("prepare", *case) for case in CHANGES)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_changed_corpus_is_seen_as_by_a_run_from_nothing(
    paths: Paths,
    first_run: tuple[Path, dict[str, bytes]],
    known: list[dict[str, int]],
    stage: str,
    change: Callable[[Paths], None],
    goes_on: bool,
) -> None:
    root, before = first_run
    if stage == "prepare":
        shutil.copytree(root, paths.root, dirs_exist_ok=True)
    else:
        before = run(paths, stage, tolerant("a.tsv", "b.tsv"))
    change(paths)
    sections = tolerant(*sorted(path.name for path in (paths.root / "raw").glob("*.tsv")))
    found = run(paths, stage, sections)
    assert [counts["train"] for counts in known] == ([300] if goes_on else [])
    assert found == run_from_nothing(paths, stage, sections)
    assert change is not add_notes or found == before
    known.clear()
    assert run(paths, stage, sections) == found
    assert len(known) == (change is not add_odd_line)


def test_no_pair_of_dev_or_test_moves_when_rows_are_added(paths: Paths) -> None:
    before = run(paths, "prepare")
    append(paths)
    after = run(paths, "prepare")
    for split in ("dev", "test"):
        old, new = (found[f"data/prepared/{split}.jsonl"].splitlines() for found in (before, after))
        assert len(old) > 5
        assert [line for line in new if line in {*old}] == old
        assert not {*old} & {*after["data/prepared/train.jsonl"].splitlines()}


def tolerant(*names: str) -> Sections:
    """Settings that set malformed lines aside."""
    return {"corpus": {"path": "raw", "files": {"train": names}, "max_malformed_fraction": 0.5}}


EVALUATED: Sections = {
    "corpus": {
        "path": "raw",
        "files": {"train": [["t.src", "t.tgt"]], "dev": ["b.tsv"], "test": [{"file": "a.tsv", "columns": {"topic": "x"}}]},
    },
    "prepare": {"leakage": "similar", "clean_evaluation_splits": True},
}  # fmt: skip


@pytest.mark.parametrize("stage", ["prepare", pytest.param("validate", marks=pytest.mark.proof)])
def test_aligned_texts_beside_files_of_dev_and_test(paths: Paths, known: list[dict[str, int]], stage: str) -> None:
    pairs = [line.rstrip("\n").split("\t") for line in lines(150, seed=7)]
    for count in (100, 150):
        for side, name in enumerate(("t.src", "t.tgt")):
            write(paths, name, [f"{pair[side] or 'x'}\r\n" for pair in pairs[:count]], header="\ufeff")
        found = run(paths, stage, EVALUATED)
        append(paths)
    assert [counts["train"] for counts in known] == [100]
    assert found == run_from_nothing(paths, stage, EVALUATED)
    evaluated = EVALUATED["corpus"]["files"]
    constants = [{"file": "a.tsv", "columns": {"topic": "y"}}]
    other: Sections = EVALUATED | {"corpus": {"path": "raw", "files": evaluated | {"test": constants}}}
    assert run(paths, stage, other) == run_from_nothing(paths, stage, other)
    assert len(known) == 1


def test_other_settings_and_what_cannot_be_kept_find_nothing(paths: Paths, known: list[dict[str, int]]) -> None:
    run(paths, "prepare")
    for section in ({"max_characters": 20}, {"deduplicate": "source"}, {"split_salt": "2"}, {"whitespace": "collapse"}):
        sections: Sections = TSV | {"prepare": section}
        assert run(paths, "prepare", sections) == run_from_nothing(paths, "prepare", sections)
    assert not known
    kept = paths.kept_rows / "prepare"
    run(paths, "prepare", TSV | {"runtime": {"incremental": False}})
    assert not kept.exists()
    run(paths, "prepare")
    assert [path.name for path in kept.parent.iterdir()] == ["prepare"]
    pairs = [line.rstrip("\n").split("\t") for line in lines(50, seed=8)]
    rows = [json.dumps({"source": source, "target": target}) + "\n" for source, target in pairs]
    write(paths, "c.jsonl", rows, header="")
    run(paths, "prepare", {"corpus": {"path": "raw", "files": {"train": ["c.jsonl"]}}})
    assert not kept.exists()


def test_a_damaged_or_deleted_database_is_none(paths: Paths, known: list[dict[str, int]]) -> None:
    expected = run(paths, "prepare")
    database, record = (paths.kept_rows / "prepare" / name for name in (row_store.DATABASE, "record.json"))
    for damage in (
        lambda: record.write_text("{"),
        lambda: record.unlink(),
        lambda: database.unlink(),
        lambda: database.write_bytes(b"no database"),
        lambda: database.write_bytes(bytes(len(database.read_bytes()))),
        lambda: shutil.rmtree(paths.kept_rows),
    ):
        damage()
        assert run(paths, "prepare") == expected
    assert not known


@pytest.mark.proof
def test_a_killed_run_leaves_no_database_and_two_at_once_write_the_same(paths: Paths, tmp_path: Path) -> None:
    run(paths, "prepare")
    append(paths)
    killed = CONTEXT.Process(target=_run_and_die, args=(str(paths.root),))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert not (paths.kept_rows / "prepare").exists()
    expected = run_from_nothing(paths, "prepare")
    other = Paths(tmp_path / "second")
    shutil.copytree(paths.root / "raw", other.root / "raw")
    other.work.symlink_to(paths.work)
    run_at_once(_run_often, (str(paths.root), str(other.root)))
    assert run(paths, "prepare") == run(other, "prepare") == expected


def _run_and_die(root: str) -> None:
    """Ends by SIGKILL once the new rows are judged."""
    judge = SplitRows.judge

    def judge_and_die(self: SplitRows, *arguments: Any) -> None:
        judge(self, *arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    SplitRows.judge = judge_and_die  # type: ignore[method-assign,assignment]
    run(Paths(Path(root)), "prepare")


def _run_often(root: str) -> None:
    for _ in range(4):
        run(Paths(Path(root)), "prepare")


def test_a_fault_behind_what_is_known_is_named_with_its_line(paths: Paths) -> None:
    run(paths, "prepare")
    write(paths, "b.tsv", [*lines(100, seed=2), "one cell\n"])
    with pytest.raises(CorpusError, match=r"b\.tsv:102: "):
        run(paths, "prepare")


def test_another_version_of_a_library_finds_nothing(
    paths: Paths, known: list[dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(paths, "prepare")
    monkeypatch.setattr(kept_database, "find_version", lambda name: "another" if name == "py3langid" else version(name))
    run(paths, "prepare")
    assert not known


def test_a_disk_that_refuses_the_database_costs_a_warning_and_no_output(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = run(paths, "prepare")
    monkeypatch.setattr(KeptRecord, "model_dump_json", Mock(side_effect=OSError(28, "No space left on device")))
    assert run(paths, "prepare") == expected
    assert not (paths.kept_rows / "prepare").exists()
    assert "the next run goes on from nothing: [Errno 28] No space left on device" in caplog.text
