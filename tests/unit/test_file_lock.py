from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq_core.file_lock import hold_lock, wait_for_lock

HOLD = """
import subprocess, sys
from pathlib import Path
from seq2seq_core.file_lock import hold_lock
with hold_lock(Path(sys.argv[1]), RuntimeError) as descriptor:
    if sys.argv[2] == "hand on":
        child = subprocess.Popen(["cat"], pass_fds=(descriptor,))
        print(child.pid, flush=True)
        child.wait()
    else:
        print(0, flush=True)
        sys.stdin.read()
"""
WAIT = """
import sys
from pathlib import Path
from seq2seq_core.file_lock import wait_for_lock
with wait_for_lock(Path(sys.argv[1])):
    print("in", flush=True)
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_held_lock_names_its_process_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    with start(HOLD, str(path), "keep") as holder:
        assert read_line(holder) == "0"
        with pytest.raises(RuntimeError, match=f"^{holder.pid}$"), hold_lock(path, RuntimeError):
            pass
        holder.kill()
        holder.wait()
        with hold_lock(path, RuntimeError):
            assert path.read_text() == f"{os.getpid()}\n"


def test_a_child_that_inherited_the_lock_keeps_it_when_its_parent_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with start(HOLD, str(path), "hand on") as holder:
        assert int(read_line(holder)) > 0
        holder.kill()
        holder.wait()
        with pytest.raises(RuntimeError, match=f"^{holder.pid}$"), hold_lock(path, RuntimeError):
            pass
        assert holder.stdin is not None
        holder.stdin.close()  # ends the child
        with wait_for_lock(path):
            pass


def test_a_child_that_inherited_the_lock_keeps_it_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold_lock(path, RuntimeError) as descriptor:
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(descriptor,))
    with child:
        with pytest.raises(RuntimeError), hold_lock(path, RuntimeError):
            pass
        assert child.stdin is not None
        child.stdin.close()
        child.wait()
        with hold_lock(path, RuntimeError):
            pass


def test_whoever_waits_gets_the_lock_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    with wait_for_lock(path):
        waiting = start(WAIT, str(path))
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
    with waiting:
        assert read_line(waiting) == "in"
