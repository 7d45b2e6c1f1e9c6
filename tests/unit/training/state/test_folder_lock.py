from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq_core.errors import WorkspaceBusy
from seq2seq_core.training.state.folder_lock import LOCK_FILE, lock_folder

HOLD = """
import sys
from pathlib import Path
from seq2seq_core.training.state.folder_lock import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_never_hold_one_folder_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        message = (
            f"{folder}: another training with these settings and data is running here (process {holder.pid}); "
            "wait for it, or stop it and run this again"
        )
        with pytest.raises(WorkspaceBusy, match=f"^{re.escape(message)}$"), lock_folder(folder):
            pass
        holder.kill()
    with lock_folder(folder):
        assert (folder / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_a_folder_can_be_locked_again_after_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        with lock_folder(tmp_path):
            pass
