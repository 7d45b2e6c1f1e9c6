"""Commands whose whole family of processes ends with them, with their time limit, with a cancellation, or with this process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from flows.processes.cancellation import Cancellation

SUPERVISOR = Path(__file__).with_name("supervisor.py")
LINE_END = re.compile(rb"[\r\n]+")
KEPT_LINES = 200
"""First and last lines of the output, of each so many, that a result keeps."""

EndedBy = Literal["itself", "time limit", "cancellation"]


@dataclass(frozen=True)
class StopPolicy:
    """When a command is stopped, and how patiently.

    Attributes:
        time_limit_seconds: longest run; None: any.
        grace_seconds: between SIGTERM and SIGKILL at the time limit.
        cancel_grace_seconds: between SIGTERM and SIGKILL when cancelled, and when this process dies.
        spare_command: whether stopping leaves the command itself alone and only ends what it has started, until SIGKILL.
        cancellation: the request to stop.
    """

    time_limit_seconds: float | None = None
    grace_seconds: float = 30.0
    cancel_grace_seconds: float = 4.0
    spare_command: bool = False
    cancellation: Cancellation = field(default_factory=Cancellation)


@dataclass(frozen=True)
class CommandResult:
    """How a command ended.

    Attributes:
        exit_code: 128 + signal where a signal ended it.
        lines: the first and the last lines that it printed (standard output and error together).
        seconds: how long it ran.
        ended_by: what made it end.
    """

    exit_code: int
    lines: tuple[str, ...]
    seconds: float
    ended_by: EndedBy


class SupervisedProcess:
    """A running command under its supervisor (see :mod:`flows.processes.supervisor`).

    Args:
        command: the program and its arguments.
        cwd: the folder to run in.
        environment: all of its environment variables.
        orphan_grace_seconds: between SIGTERM and SIGKILL when this process dies.
        held_descriptors: open files that stay open until every process of the command is gone (a lock).
        spare_command: whether stopping leaves the command itself alone until SIGKILL.
    """

    def __init__(
        self,
        command: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        orphan_grace_seconds: float,
        held_descriptors: Sequence[int] = (),
        spare_command: bool = False,
    ) -> None:
        treatment = "spare" if spare_command else "interrupt"
        supervised = [sys.executable, "-I", "-S", str(SUPERVISOR), str(orphan_grace_seconds), treatment, *command]
        self._process = subprocess.Popen(
            supervised,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=tuple(held_descriptors),
            bufsize=0,
        )

    def stop(self, grace_seconds: float) -> None:
        """Asks the command and all of its processes to end; those that have not after the grace are killed. Does not wait."""
        control = self._process.stdin
        assert control is not None
        try:
            control.write(f"stop {grace_seconds}\n".encode())
            control.flush()
        except (BrokenPipeError, ValueError):
            return  # it has ended

    def lines(self) -> Iterator[str]:
        """Each line of its output as it comes, empty ones left out, until the end."""
        assert self._process.stdout is not None
        yield from iterate_lines(self._process.stdout)

    def has_ended(self) -> bool:
        """Whether no process of the command is left."""
        return self._process.poll() is not None

    def wait(self) -> int:
        """The exit code, once no process of the command is left."""
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        return code


def iterate_lines(stream: IO[bytes]) -> Iterator[str]:
    """The lines of a byte stream as they come; a carriage return (of a progress bar) ends a line too."""
    rest = b""
    while chunk := os.read(stream.fileno(), 65_536):
        *complete, rest = LINE_END.split(rest + chunk)
        yield from (line.decode("utf-8", "replace") for line in complete if line)
    if rest:
        yield rest.decode("utf-8", "replace")


def run_supervised(
    command: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    policy: StopPolicy,
    held_descriptors: Sequence[int] = (),
) -> CommandResult:
    """The end of a command, its lines passed on as they came.

    Args:
        command: the program and its arguments.
        cwd: the folder to run in.
        environment: all of its environment variables.
        on_line: receives each line, in the calling thread.
        policy: when it is stopped.
        held_descriptors: open files that stay open until every process of the command is gone.
    """
    started = time.monotonic()
    reasons: list[EndedBy] = []
    process = SupervisedProcess(command, cwd, environment, policy.cancel_grace_seconds, held_descriptors, policy.spare_command)

    def stop(reason: EndedBy, grace_seconds: float) -> None:
        reasons.append(reason)
        process.stop(grace_seconds)

    head: list[str] = []
    tail: deque[str] = deque(maxlen=KEPT_LINES)
    with ExitStack() as stack:
        stack.callback(process.wait)
        # Anything unexpected, such as KeyboardInterrupt in this thread, stops the command before it is waited for.
        stack.callback(process.stop, policy.cancel_grace_seconds)
        if policy.time_limit_seconds is not None:
            timer = threading.Timer(policy.time_limit_seconds, stop, ("time limit", policy.grace_seconds))
            timer.daemon = True
            timer.start()
            stack.callback(timer.cancel)
        stack.enter_context(policy.cancellation.stops(lambda: stop("cancellation", policy.cancel_grace_seconds)))
        for line in process.lines():
            (head if len(head) < KEPT_LINES else tail).append(line)
            on_line(line)
    ended_by: EndedBy = "cancellation" if "cancellation" in reasons else reasons[0] if reasons else "itself"
    return CommandResult(process.wait(), (*head, *tail), time.monotonic() - started, ended_by)
