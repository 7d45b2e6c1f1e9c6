from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from seq2seq_core.tracking import driver_watch
from seq2seq_core.tracking.driver_watch import stop_without_driver

STAGE = """
import signal, sys
from pathlib import Path
from seq2seq_core.tracking.driver_watch import stop_without_driver

def save(number, frame):
    Path(sys.argv[1]).write_text(signal.Signals(number).name)
    sys.exit(143)

signal.signal(signal.SIGTERM, save)
with stop_without_driver():
    print("ready", flush=True)
    signal.pause()
"""
DVC = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1], sys.argv[2]], env={"DVC_STAGE": "train", "PYTHONPATH": sys.argv[3]})
"""


def kill_dvc_of(stage: str, folder: Path) -> None:
    """Starts a stage below a ``dvc``, kills that, and checks that the stage was told and ended."""
    (folder / "dvc").write_text(DVC)
    command = [sys.executable, str(folder / "dvc"), stage, str(folder / "saved"), str(Path(__file__).parents[3])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as dvc:
        assert dvc.stdout is not None
        assert dvc.stdout.readline() == b"ready\n"
        dvc.kill()
        assert dvc.stdout.read() == b""  # the pipe ends when the stage does
    assert (folder / "saved").read_text() == "SIGTERM"


def test_a_stage_whose_dvc_was_killed_gets_sigterm(tmp_path: Path) -> None:
    kill_dvc_of(STAGE, tmp_path)


def test_a_stage_that_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    deaf = STAGE.replace("    sys.exit(143)", "").replace("signal.pause()", "[signal.pause() for _ in range(9)]")
    deaf = "import seq2seq_core.tracking.driver_watch as watch\nwatch.GRACE_SECONDS = 0.1\n" + deaf
    kill_dvc_of(deaf, tmp_path)


def test_a_stage_whose_dvc_died_before_it_looked_gets_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setattr(driver_watch, "_is_orphan", lambda: True)
    monkeypatch.setattr(driver_watch, "LOOK_EVERY_SECONDS", 0.01)
    heard = threading.Event()
    handler = signal.signal(signal.SIGTERM, lambda number, frame: heard.set())
    try:
        with stop_without_driver():
            assert heard.wait(300)
    finally:
        signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize("stage", ["", "train"])
def test_without_a_dvc_above_nothing_happens(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    monkeypatch.delenv("DVC_STAGE", raising=False)
    if stage:
        monkeypatch.setenv("DVC_STAGE", stage)
        monkeypatch.setattr(driver_watch, "_is_orphan", lambda: False)
    handler = signal.signal(signal.SIGTERM, lambda number, frame: pytest.fail("SIGTERM"))
    try:
        with stop_without_driver():
            assert os.getpid()
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert not [thread for thread in threading.enumerate() if thread.name == "driver-watch"]
