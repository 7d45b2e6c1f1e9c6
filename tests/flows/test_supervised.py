from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from flows.processes.cancellation import Cancellation
from flows.processes.supervised import CommandResult, StopPolicy, run_supervised

from .conftest import processes_with
from .waiting import wait_until

SLEEP = "import time; time.sleep(600)"


def run(script: str, *arguments: str, policy: StopPolicy | None = None, lines: list[str] | None = None) -> CommandResult:
    command = [sys.executable, "-c", script, *arguments]
    seen: list[str] = [] if lines is None else lines
    return run_supervised(command, Path.cwd(), os.environ, seen.append, policy or StopPolicy())


def test_the_exit_code_and_every_line_of_both_streams_come_through() -> None:
    lines: list[str] = []
    result = run(
        "import os, sys; os.write(1, b'one\\n10%\\r20%\\r\\n\\n'); os.write(2, b'two \\xff\\n'); os.write(1, b'end'); sys.exit(7)",
        lines=lines,
    )
    assert (result.exit_code, result.ended_by) == (7, "itself")
    assert lines == ["one", "10%", "20%", "two \N{REPLACEMENT CHARACTER}", "end"]
    assert result.lines == tuple(lines)


def test_a_signal_is_told_as_shells_tell_it() -> None:
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").exit_code == 137


def test_of_a_long_output_the_first_and_last_lines_are_kept() -> None:
    kept = run("for number in range(1000): print(number)").lines
    assert kept == tuple(map(str, [*range(200), *range(800, 1000)]))


def test_the_command_stands_by_default_to_signals_that_its_starter_ignores() -> None:
    script = (
        "import signal, sys; [signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)]\n"
        "import os; from pathlib import Path; from flows.processes.supervised import StopPolicy, run_supervised\n"
        "ask = 'import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler,"
        " signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)'\n"
        "run_supervised([sys.executable, '-c', ask], Path.cwd(), os.environ, print, StopPolicy())"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "True True\n"


@pytest.mark.parametrize("new_session", [False, True])
def test_what_a_command_leaves_running_is_ended(new_session: bool) -> None:
    token = uuid.uuid4().hex
    script = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}, sys.argv[1]], start_new_session={new_session})"
    )
    assert run(script, token).exit_code == 0
    assert processes_with(token) == []


def test_a_time_limit_ends_processes_that_hear_no_signal() -> None:
    token = uuid.uuid4().hex
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN); {SLEEP}"
    script = (
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {deaf!r}, sys.argv[1]], start_new_session=True)\n{deaf}"
    )
    result = run(script, token, policy=StopPolicy(time_limit_seconds=5.0, grace_seconds=0.3))
    assert (result.exit_code, result.ended_by) == (137, "time limit")
    assert processes_with(token) == []


def test_a_cancellation_stops_what_runs_and_what_starts_later() -> None:
    cancellation = Cancellation()
    policy = StopPolicy(cancel_grace_seconds=0.5, cancellation=cancellation)
    started = threading.Event()
    results: list[CommandResult] = []

    def work() -> None:
        command = [sys.executable, "-u", "-c", f"print('started'); {SLEEP}"]
        results.append(run_supervised(command, Path.cwd(), os.environ, lambda _: started.set(), policy))

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(300)
    cancellation.request()
    thread.join(60)
    results.append(run(SLEEP, policy=policy))
    assert [result.ended_by for result in results] == ["cancellation", "cancellation"]
    assert all(result.exit_code != 0 for result in results)


def test_a_spared_command_outlives_what_it_started_and_ends_in_good_order() -> None:
    script = (
        "import subprocess, sys\nfor _ in range(2):\n"
        f"    child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}])\n"
        "    print('started', flush=True)\n    print(child.wait(), flush=True)\n"
        "print('locks given back', flush=True)"
    )
    cancellation = Cancellation()
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if len(lines) == 1:
            cancellation.request()

    policy = StopPolicy(cancel_grace_seconds=20.0, spare_command=True, cancellation=cancellation)
    result = run_supervised([sys.executable, "-c", script], Path.cwd(), os.environ, hear, policy)
    assert lines == ["started", "-15", "started", "-15", "locks given back"]
    assert (result.exit_code, result.ended_by) == (0, "cancellation")


def test_a_spared_command_that_does_not_end_is_killed_after_the_grace() -> None:
    assert run(SLEEP, policy=StopPolicy(time_limit_seconds=0.3, grace_seconds=0.3, spare_command=True)).exit_code == 137


def test_an_exception_while_lines_are_read_ends_the_command() -> None:
    token = uuid.uuid4().hex

    def refuse(line: str) -> None:
        raise KeyboardInterrupt(line)

    command = [sys.executable, "-u", "-c", f"print('x'); {SLEEP}", token]
    with pytest.raises(KeyboardInterrupt):
        run_supervised(command, Path.cwd(), os.environ, refuse, StopPolicy(cancel_grace_seconds=0.5))
    assert processes_with(token) == []


def test_when_the_starter_is_killed_no_process_is_left_and_a_held_file_is_let_go_only_then(tmp_path: Path) -> None:
    token = uuid.uuid4().hex
    script = (
        "import fcntl, os, sys; from pathlib import Path; from flows.processes.supervised import StopPolicy, run_supervised\n"
        "held = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT); fcntl.flock(held, fcntl.LOCK_EX)\n"
        "inner = \"import signal, time; signal.signal(signal.SIGTERM, lambda *_: 0); print('on', flush=True); time.sleep(600)\"\n"
        "command = ['/bin/sh', '-c', '\"$0\" -c \"$1\" \"$2\" & wait; wait; wait', sys.executable, inner, sys.argv[2]]\n"
        "policy = StopPolicy(cancel_grace_seconds=1.0)\n"
        "run_supervised(command, Path.cwd(), os.environ, lambda line: print(line, flush=True), policy, (held,))"
    )
    lock = tmp_path / "lock"
    starter = subprocess.Popen([sys.executable, "-c", script, str(lock), token], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"on\n"
    starter.kill()
    starter.wait()
    starter.stdout.close()
    # flock(1) gets the lock when the last process of the command is gone.
    subprocess.run(["flock", "--timeout", "20", str(lock), "true"], check=True)
    wait_until(lambda: processes_with(token) == [], "the end of every process")
