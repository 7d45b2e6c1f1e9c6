"""A process of a sample ends with the preflight, also where Ctrl-C comes while it starts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seq2seq_core.errors import Seq2SeqError
from seq2seq_core.preflight import sample_process
from seq2seq_core.preflight.sample_process import run_process


def test_ctrl_c_in_the_middle_of_a_start_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = list[subprocess.Popen[bytes]]()
    begin = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(begin(*arguments, **options))
        os.kill(os.getpid(), signal.SIGINT)  # before anybody has the process
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            sample_process.run_process(["-c", "import time; time.sleep(600)"], tmp_path / "log", "it")
    finally:
        signal.signal(signal.SIGINT, before)
    assert started[0].returncode is not None


def test_a_full_disk_is_named_and_not_taken_for_a_fault_of_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, expected in ((1 << 30, "so it would fail on the whole:"), (0, f"(exit code 3); the disk of {tmp_path} is full")):
        monkeypatch.setattr("shutil.disk_usage", lambda folder, free=free: SimpleNamespace(free=free))
        with pytest.raises(Seq2SeqError, match=re.escape(expected)):
            run_process(["-c", "raise SystemExit(3)"], tmp_path / "log", "validate")
