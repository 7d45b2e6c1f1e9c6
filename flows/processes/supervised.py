"""Supervised commands: all descendants of a command end when it ends, at its time limit, on cancellation, or with this process."""

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
from seq2seq_core.redaction.redactor import redact

SUPERVISOR = Path(__file__).with_name("supervisor.py")
LINE_END = re.compile(rb"[\r\n]+")
KEPT_LINES = 200
"""Number of first lines, and of last lines, of the output that a result keeps."""

EndedBy = Literal["itself", "time limit", "cancellation"]


@dataclass(frozen=True)
class StopPolicy:
    """When and how a command is stopped.

    Attributes:
        time_limit_seconds: the time limit; None for no limit.
        grace_seconds: time from SIGTERM to SIGKILL at the time limit.
        cancel_grace_seconds: time from SIGTERM to SIGKILL on cancellation, and when this process dies.
        spare_command: whether SIGTERM goes only to the command's descendants; SIGKILL goes to the command too.
        cancellation: the request to stop.
    """

    time_limit_seconds: float | None = None
    grace_seconds: float = 30.0
    cancel_grace_seconds: float = 4.0
    spare_command: bool = False
    cancellation: Cancellation = field(default_factory=Cancellation)


@dataclass(frozen=True)
class CommandResult:
    """The end of a command.

    Attributes:
        exit_code: the exit code; 128 + signal where a signal ended the command.
        lines: the first and the last lines of standard output and error together.
        seconds: duration.
        ended_by: the cause of the end.
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
        orphan_grace_seconds: time from SIGTERM to SIGKILL when this process dies.
        held_descriptors: file descriptors that stay open until every process of the command has ended (a lock).
        spare_command: whether the command itself gets no signal before SIGKILL.
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
        """Asks the command and its descendants to end; kills those that are left after the grace period. Does not wait."""
        control = self._process.stdin
        assert control is not None
        try:
            control.write(f"stop {grace_seconds}\n".encode())
            control.flush()
        except (BrokenPipeError, ValueError):
            return  # it has ended

    def lines(self) -> Iterator[str]:
        """The lines of the output as they come, without empty ones and without secrets, until the end."""
        assert self._process.stdout is not None
        yield from map(redact, iterate_lines(self._process.stdout))

    def has_ended(self) -> bool:
        """Whether all processes of the command have ended."""
        return self._process.poll() is not None

    def wait(self) -> int:
        """Waits until all processes of the command have ended; returns the exit code."""
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        return code


def iterate_lines(stream: IO[bytes]) -> Iterator[str]:
    """The lines of a byte stream as they come; a carriage return (from a progress bar) also ends a line."""
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
    """Runs a command to its end and passes on its lines as they come.

    Args:
        command: the program and its arguments.
        cwd: the folder to run in.
        environment: all of its environment variables.
        on_line: receives each line, in the calling thread.
        policy: when and how the command is stopped.
        held_descriptors: file descriptors that stay open until every process of the command has ended.
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
        # After an exception in this thread, such as KeyboardInterrupt, stop the command before waiting for it.
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
