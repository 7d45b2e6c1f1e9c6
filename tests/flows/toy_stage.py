"""A stage for the toy graphs of the flow's tests: it behaves as a file tells it, and leaves its outcome as ``s2s`` does.

Run as ``python toy_stage.py NAME OUTPUT [INPUT ...]`` in a workspace. ``behaviour/NAME`` holds words; none means success.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from seq2seq_core.outcome import Outcome, write_outcome

PATIENCE_SECONDS = 300.0


def main(name: str, output: str, *inputs: str) -> None:
    leave(name, "running", "", -1, True)
    with Path(".s2s", f"{name}.executions").open("a") as file:
        file.write(f"{os.getpid()} {os.environ.get('S2S_GRAPH_RUN', '')}\n")
    sys.stdout.write(f"hello from {name}\n")
    place = Path("behaviour", name)
    for word in place.read_text().split() if place.is_file() else ():
        BEHAVIOURS[word.partition(":")[0]](name, word.partition(":")[2])
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(f"{name}\n" + "".join(Path(path).read_text() for path in inputs))
    leave(name, "ok", "", 0, False)


def leave(name: str, kind: str, message: str, exit_code: int, retryable: bool) -> None:
    write_outcome(Path(".s2s", "outcomes"), Outcome(name, kind, message, exit_code, retryable, os.getpid()))


def end(name: str, kind: str, message: str, exit_code: int, retryable: bool) -> NoReturn:
    leave(name, kind, message, exit_code, retryable)
    sys.stderr.write(f"error: {message}\n")
    sys.exit(exit_code)


def user_fault(name: str, _: str) -> None:
    end(name, "user_fault", f"data/{name}.tsv:7: has 2 columns; expected 3", 2, False)


def crash(name: str, _: str) -> None:
    end(name, "crash", "RuntimeError: boom", 1, True)


def crash_once(name: str, _: str) -> None:
    if len(Path(".s2s", f"{name}.executions").read_text().splitlines()) == 1:
        crash(name, "")


def die(_name: str, _: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_group(_name: str, group: str) -> None:
    """Kills the processes of a server that tests started."""
    os.killpg(int(group), signal.SIGKILL)


def meet(name: str, other: str) -> None:
    """Succeeds only while the other stage runs too."""
    Path(".s2s", f"{name}.here").touch()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not Path(".s2s", f"{other}.here").exists():
        if time.monotonic() > deadline:
            end(name, "user_fault", f"{other} never ran at the same time", 2, False)
        time.sleep(0.05)


def hang(_name: str, token: str) -> None:
    """Hangs with children, one in a session of its own, that carry a token in their command line."""
    for new_session in (False, True):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", token], start_new_session=new_session)
    Path(".s2s", "hanging").touch()
    time.sleep(600)


def wait_for(_name: str, file: str) -> None:
    """Waits until a file of the work folder is there."""
    Path(".s2s", "waiting").touch()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not Path(".s2s", file).exists():
        if time.monotonic() > deadline:
            end(_name, "user_fault", f"{file} never came", 2, False)
        time.sleep(0.05)


def deaf(_name: str, _: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def save(_name: str, _: str) -> None:
    """On SIGTERM takes a moment to save, as train does."""

    def save_and_leave(_number: int, _frame: FrameType | None) -> None:
        time.sleep(0.3)
        Path(".s2s", "saved").touch()
        end(_name, "interrupted", "terminated", 143, True)

    signal.signal(signal.SIGTERM, save_and_leave)


def terminate_once(name: str, _: str) -> None:
    """SIGTERM from outside, as a machine that is taken away sends it."""
    if len(Path(".s2s", f"{name}.executions").read_text().splitlines()) == 1:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(600)


def tell_environment(name: str, mark: str) -> None:
    """Prints the tests' secrets that it inherits, and fails with all of them in its message."""
    everything = f"{mark} { {name: value for name, value in os.environ.items() if 'anary' in value}!r}"
    sys.stdout.write(f"{everything}\n")
    end(name, "user_fault", everything, 2, False)


BEHAVIOURS = {
    "user_fault": user_fault, "crash": crash, "crash_once": crash_once, "die": die, "meet": meet, "hang": hang, "deaf": deaf,
    "save": save, "terminate_once": terminate_once, "wait_for": wait_for, "kill_group": kill_group,
    "tell_environment": tell_environment,
}  # fmt: skip

if __name__ == "__main__":
    main(*sys.argv[1:])
