from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from flows.dvc.command import Dvc
from seq2seq_core.tracking.process_identity import ProcessIdentity, _is_dvc, dvc_ancestor, this_process


def test_an_identity_survives_being_written_and_read() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    assert ProcessIdentity.parse(str(me)) == me
    assert me.is_alive()


@pytest.mark.parametrize("text", ["", "host", "host/12", "host/x@3", "host/12@"])
def test_another_text_is_no_identity(text: str) -> None:
    assert ProcessIdentity.parse(text) is None


def test_an_ended_process_is_not_alive() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        identity = ProcessIdentity.of(psutil.Process(process.pid))
        assert identity.is_alive()
        process.kill()
        process.wait()
    assert not identity.is_alive()


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    assert not replace(this_process(), started=this_process().started - 60_000).is_alive()


def test_a_process_of_another_host_counts_as_alive() -> None:
    assert ProcessIdentity("elsewhere", 1, 0).is_alive()


def test_the_dvc_command_above_a_stage_is_found_through_its_shell(tmp_path: Path) -> None:
    script = tmp_path / "dvc"
    script.write_text(
        "import subprocess, sys, os\n"
        "print(os.getpid(), flush=True)\n"
        "subprocess.run([sys.executable + ' -c \"from seq2seq_core.tracking.process_identity import dvc_ancestor;"
        " print(dvc_ancestor())\"'], shell=True, check=True)\n"
    )
    done = subprocess.run([sys.executable, str(script), "repro"], capture_output=True, text=True, check=True)
    pid, ancestor = done.stdout.split()
    identity = ProcessIdentity.parse(ancestor)
    assert identity is not None
    assert identity.pid == int(pid)


def test_without_dvc_above_there_is_none() -> None:
    assert dvc_ancestor() is None


@pytest.mark.parametrize(
    ("command", "is_dvc"),
    [
        (["dvc", "repro"], True),
        (["/v/bin/python3.11", "/v/bin/dvc", "repro"], True),
        (["python", "-m", "dvc", "repro"], True),
        (["/v/bin/python3.11", "-P", "-m", "dvc", "--wait-for-lock", "repro"], True),
        (Dvc(Path("/w")).command(["repro"]), True),
        (["vim", "notes/dvc.txt"], False),
        (["python", "-m", "pytest", "-k", "dvc"], False),
        ([], False),
    ],
)
def test_dvc_is_known_by_its_command_line(command: list[str], is_dvc: bool) -> None:
    assert _is_dvc(command) is is_dvc
