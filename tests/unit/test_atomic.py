from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core import atomic


def test_a_folder_appears_whole_and_takes_the_older_ones_place(tmp_path: Path) -> None:
    target = tmp_path / "made" / "folder"
    for content in ("one", "two"):
        with atomic.new_folder(target) as draft:
            (draft / content).write_text(content)
            assert not (target / content).exists()
        assert [path.name for path in target.iterdir()] == [content]
    assert [path.name for path in target.parent.iterdir()] == ["folder"]


def test_a_folder_that_fails_leaves_the_older_one_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with atomic.new_folder(target) as draft:
        (draft / "old").touch()
    with pytest.raises(KeyboardInterrupt), atomic.new_folder(target) as draft:
        (draft / "new").touch()
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "old"]


def test_what_a_killed_run_left_does_not_get_into_the_next_one(tmp_path: Path) -> None:
    (tmp_path / ".folder.draft").mkdir()
    (tmp_path / ".folder.draft" / "left over").touch()
    with atomic.new_folder(tmp_path / "folder") as draft:
        (draft / "new").touch()
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["new"]


def test_a_text_is_written_with_its_own_line_ends(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "made" / "x.txt", "é\na\r\n")
    assert (tmp_path / "made" / "x.txt").read_bytes() == "é\na\r\n".encode()


def test_a_text_that_fails_leaves_the_older_one(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "x.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        atomic.write_text(tmp_path / "x.txt", "\ud800")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_full_disk_names_what_was_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left") as caught:
        atomic.write_text(tmp_path / "report.json", "{}")
    assert caught.value.filename == str(tmp_path / "report.json")
    with pytest.raises(OSError, match="No space left") as caught, atomic.new_folder(tmp_path / "folder") as draft:
        (draft / "x").write_text("x")
    assert caught.value.filename == str(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_a_file_is_named_and_no_draft_is_left(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    for write in (lambda path: atomic.write_text(path, "x"), _write_new_file):
        with pytest.raises(IsADirectoryError) as caught:
            write(tmp_path / "page.html")
        assert caught.value.filename == str(tmp_path / "page.html")
        assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def _write_new_file(path: Path) -> None:
    with atomic.new_file(path) as draft:
        draft.write_text("x")


@pytest.mark.parametrize("write", [lambda path: atomic.write_text(path, "x"), _write_new_file], ids=["text", "file"])
def test_a_pipe_is_written_to_and_not_replaced(write: Callable[[Path], None], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    try:
        write(pipe)
        assert reader.communicate(timeout=60)[0] == "x"
    finally:
        reader.kill()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
