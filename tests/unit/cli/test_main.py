"""The command line in a process of its own, as odd environments start it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def run(*words: str, options: tuple[str, ...] = (), **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-m", "seq2seq_core.cli.main", *words]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("options", "variables"), [((), {"PYTHONOPTIMIZE": "2"}), (("-OO",), {})])
def test_docstrings_are_read_even_where_python_drops_them(options: tuple[str, ...], variables: dict[str, str]) -> None:
    done = run("settings", "train.max_steps", options=options, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("settings", "train.max_steps").stdout
    assert "updates" in done.stdout


def test_a_character_that_the_terminal_lacks_is_shown_as_its_code_point() -> None:
    done = run("--help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u2192" in done.stdout
