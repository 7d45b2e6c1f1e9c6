"""A process of a sample ends with the preflight, also where Ctrl-C comes while it starts."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.preflight import sample_process


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
