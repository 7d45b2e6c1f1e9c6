"""The command line in a process of its own, as odd environments start it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq_core.cli.unread_output import ends_when_unread


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


def run_in_zone(zone: str, program: str) -> subprocess.CompletedProcess[str]:
    """Runs a program that has set its process up twice."""
    command = [sys.executable, "-c", f"from seq2seq_core.cli.process_setup import set_up_process as s; s(); s(); {program}"]
    return subprocess.run(command, env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("zone", ["Nowhere/Bogus", ":::", "/etc/passwd", "../x"])
def test_a_time_zone_that_does_not_exist_is_told_once_and_becomes_utc(zone: str) -> None:
    # Great Expectations prints a traceback where it cannot tell the local time.
    done = run_in_zone(zone, "import tzlocal; print(tzlocal.get_localzone())")
    assert done.stderr == f"warning: TZ: must name a time zone such as Europe/Berlin, got {zone!r}; times are shown in UTC\n"
    assert done.stdout == "UTC\n"


@pytest.mark.parametrize("zone", ["", "UTC", "Europe/Berlin", ":Asia/Kolkata", "/usr/share/zoneinfo/Europe/Berlin"])
def test_a_time_zone_that_exists_stays(zone: str) -> None:
    if zone.startswith("/") and not Path(zone).exists():
        pytest.skip("no database of time zones here")
    done = run_in_zone(zone, "import os; print(os.environ['TZ'])")
    assert (done.stdout, done.stderr) == (f"{zone}\n", "")


def test_python_ends_without_a_look_for_garbage_once_all_else_is_done() -> None:
    program = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 10_000))\n"
        "from seq2seq_core.cli.process_setup import set_up_process\n"
        "set_up_process()\n"
        "atexit.register(lambda: print(gc.get_freeze_count()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["0", "True"], "what is registered last ends first"


def test_standard_output_that_was_closed_from_the_start_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as caught, ends_when_unread():
        raise SystemExit(2)
    assert caught.value.code == 2
