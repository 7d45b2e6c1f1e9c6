from __future__ import annotations

import subprocess
import sys

import pytest

from seq2seq_core.serving.relayed_output import relayed_output
from tests.canary import SAID, VARIABLES, find_leaks

PROGRAM = "import sys; print('first', sys.argv[1]); print('second', sys.argv[1], file=sys.stderr); print('third')"


def test_a_servers_lines_are_passed_on_in_order_to_the_same_streams_without_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-c", PROGRAM, SAID]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with relayed_output(server):
        server.wait()
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == ["first", "third"]
    assert said.err.startswith("second tracker ***")
    assert find_leaks([said.out, said.err]) == []
