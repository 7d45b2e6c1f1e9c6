from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.rows import store_opening
from seq2seq_core.corpus.rows.row_writer import RowWriter
from seq2seq_core.corpus.rows.store_opening import LOCK, open_row_store
from seq2seq_core.errors import UserError
from seq2seq_core.file_lock import hold_lock

WAITS = """
import sys, time
from pathlib import Path
from seq2seq_core.corpus.rows.store_opening import open_row_store
with open_row_store(Path(sys.argv[1]), "64 MB"):
    print("open", flush=True)
    time.sleep(600)
"""


def _folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.name != LOCK)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_store_goes_with_its_process_and_what_a_kill_left_goes_with_the_next_one(tmp_path: Path, number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITS, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with open_row_store(tmp_path, "64 MB"):
            assert len(_folders(tmp_path)) == 2  # that of a living process stays
        process.send_signal(number)
        process.wait()
    assert len(_folders(tmp_path)) == (1 if number == signal.SIGKILL else 0)
    with open_row_store(tmp_path, "64 MB"):
        assert len(_folders(tmp_path)) == 1
    assert _folders(tmp_path) == []


def test_a_folder_that_its_process_removes_meanwhile_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1-ending").mkdir()

    def lock(path: Path, busy: Any) -> Any:
        if path.parent.name == "1-ending":
            raise FileNotFoundError(path)
        return hold_lock(path, busy)

    monkeypatch.setattr(store_opening, "hold_lock", lock)
    with open_row_store(tmp_path, "64 MB") as store:
        assert store.counts == {}


def test_columns_that_only_some_rows_have_are_empty_in_the_others(tmp_path: Path) -> None:
    with open_row_store(tmp_path, "64 MB") as store:
        writer = RowWriter(store, "train")
        writer.add([Row("a", "b", {}, "a.tsv", 2)])
        writer.add([Row("c", "d", {"kind": "x", "Source": "y"}, "b.tsv", 2)])
        assert store.columns == {"train": ["kind", "Source"]}
        assert store.fetch('SELECT position, file, line, source, target, column_0, column_1 FROM "rows.train"') == [
            (0, "a.tsv", 2, "a", "b", None, None), (1, "b.tsv", 2, "c", "d", "x", "y"),
        ]  # fmt: skip


def test_rows_of_a_block_that_is_given_up_are_removed(tmp_path: Path) -> None:
    with open_row_store(tmp_path, "64 MB") as store:
        writer = RowWriter(store, "train")
        writer.add([Row("a", "b", {}, "a.tsv", 2)])
        with store.undo_unless_kept("train"):
            writer.add([Row("c", "d", {"kind": "x"}, "b.tsv", 2)])
        writer.add([Row("e", "f", {"other": "y"}, "c.tsv", 2)])
        assert store.counts == {"train": 2}
        assert store.fetch('SELECT position, source, column_0 FROM "rows.train"') == [(0, "a", None), (1, "e", "y")]


def test_a_limit_that_is_too_small_is_named(tmp_path: Path) -> None:
    message = r"^runtime\.memory_limit: 64 MB is too little for this corpus, or the disk is full: "
    with pytest.raises(UserError, match=message), open_row_store(tmp_path, "64 MB") as store:
        store.connection.execute("SET temp_directory = ''")
        store.fetch("SELECT list(range) FROM range(100000000)")
    assert _folders(tmp_path) == []
