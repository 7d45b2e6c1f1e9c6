"""Runs one command and ends all of its processes on a stop request or when the parent process dies.

A script that uses only the standard library, so that it starts in a few hundredths of a second::

    python -I -S supervisor.py GRACE_SECONDS interrupt|spare COMMAND [ARGUMENT ...]

Standard input is the control pipe. The line ``stop SECONDS`` stops the command. So does the end of file, which comes when the
parent dies for any reason. All output of the command goes to standard output.

To stop means: SIGTERM to all descendants of the command, also to those that start later; SIGINT to the command itself; after
the grace period, SIGKILL to all that are left. With ``spare`` the command itself gets no signal before SIGKILL: ``dvc repro``
then ends normally when its stage ends, releases its locks and finishes writing ``dvc.lock``. Processes are found by descent,
not by process group, so that processes in their own session are found too. On Linux the supervisor is a "child subreaper":
orphans stay its descendants.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
POLL_SECONDS = 0.2
LEFTOVER_SECONDS = 1.0
"""Grace period for the processes that a command leaves running when it ends by itself."""
STUBBORN_SECONDS = 5.0
"""How long SIGKILL is repeated for a process that cannot die (one in uninterruptible sleep)."""


class Supervisor:
    """One command and its descendants.

    Args:
        command: the program and its arguments.
        orphan_grace_seconds: the grace period when the parent dies or a signal comes, without a ``stop`` line.
        spare_command: whether the command itself gets no signal before SIGKILL.
    """

    def __init__(self, command: list[str], orphan_grace_seconds: float, spare_command: bool) -> None:
        self.orphan_grace_seconds, self.spare_command = orphan_grace_seconds, spare_command
        self.asked: set[int] = set()
        self.kill_at: float | None = None
        self.status: int | None = None
        self.control = b""
        self.output_heard = True
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        assert self.process.stdout is not None
        self.output = self.process.stdout.fileno()
        os.set_blocking(self.output, False)

    def run(self) -> int:
        """Runs until all processes have ended; returns the command's exit code (128 + signal where a signal ended it)."""
        readable = [sys.stdin.fileno(), self.output]
        while self.status is None:
            ready, _, _ = select.select(readable, [], [], POLL_SECONDS)
            if self.output in ready and not self.forward_output():
                readable.remove(self.output)
            if sys.stdin.fileno() in ready and not self.read_control():
                readable.remove(sys.stdin.fileno())
            self.reap()
            if self.kill_at is not None and not self.press(self.kill_at):
                break
        self.end_leftovers()
        self.drain_output()
        if self.status is None or self.status < 0:
            return 128 - (self.status or -signal.SIGKILL)
        return self.status

    def stop(self, grace_seconds: float) -> None:
        """Asks every process to end and sets the deadline for SIGKILL; a second call can only make the deadline earlier."""
        deadline = time.monotonic() + grace_seconds
        self.kill_at = deadline if self.kill_at is None else min(deadline, self.kill_at)
        self.ask()

    def ask(self) -> None:
        """Sends the signal to end to each process that has not had it yet."""
        for pid in descendants(os.getpid()):
            if pid not in self.asked and not (pid == self.process.pid and self.spare_command):
                self.asked.add(pid)
                send(pid, signal.SIGINT if pid == self.process.pid else signal.SIGTERM)

    def press(self, kill_at: float) -> bool:
        """Continues to stop: asks new processes to end, and kills after the grace period.

        Returns:
            False where processes survive even SIGKILL.
        """
        if time.monotonic() < kill_at:
            self.ask()
        else:
            self.signal_all(signal.SIGKILL)
        return time.monotonic() < kill_at + STUBBORN_SECONDS

    def end_leftovers(self) -> None:
        """Ends the processes that the command left: SIGTERM (once each), the rest of the grace period, SIGKILL."""
        self.kill_at = self.kill_at or time.monotonic() + LEFTOVER_SECONDS
        while descendants(os.getpid()) and self.press(self.kill_at):
            self.forward_output()
            time.sleep(0.02)
            self.reap()

    def signal_all(self, number: signal.Signals) -> None:
        """Sends a signal to every descendant."""
        for pid in descendants(os.getpid()):
            send(pid, number)

    def reap(self) -> None:
        """Reaps every ended child, adopted orphans included, and records the command's own status."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.process.pid:
                self.status = self.process.returncode = os.waitstatus_to_exitcode(status)

    def forward_output(self) -> bool:
        """Passes on new output of the command; False at its end. Output is dropped once the parent is dead."""
        try:
            chunk = os.read(self.output, 65_536)
        except BlockingIOError:
            return True
        if chunk and self.output_heard:
            self.output_heard = write_all(sys.stdout.fileno(), chunk)
        return bool(chunk)

    def drain_output(self) -> None:
        """Passes on the rest of the pipe after the command has ended."""
        try:
            while chunk := os.read(self.output, 65_536):
                if self.output_heard:
                    self.output_heard = write_all(sys.stdout.fileno(), chunk)
        except BlockingIOError:
            return  # a process that could not be killed still holds the pipe

    def read_control(self) -> bool:
        """Obeys the control pipe; False at its end, which means that the parent is dead."""
        chunk = os.read(sys.stdin.fileno(), 4096)
        if not chunk:
            self.stop(self.orphan_grace_seconds)
            return False
        *lines, self.control = (self.control + chunk).split(b"\n")
        for line in lines:
            word, _, seconds = line.partition(b" ")
            assert word == b"stop", line
            self.stop(float(seconds))
        return True


def descendants(ancestor: int) -> list[int]:
    """The ids of a process's descendants, without zombies; parents before children."""
    children: dict[int, list[int]] = {}
    for pid, parent in process_table():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    queue = [ancestor]
    while queue:
        for pid in children.get(queue.pop(0), []):
            found.append(pid)
            queue.append(pid)
    return found


def process_table() -> list[tuple[int, int]]:
    """The id and the parent's id of every living process, from ``/proc``, or from ``ps`` where there is none."""
    if not os.path.isdir("/proc/self"):  # noqa: PTH112 - pathlib would double the time that this script takes to start
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in listing.splitlines()]
        return [(int(pid), int(parent)) for pid, parent, state in rows if not state.startswith("Z")]
    table = []
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    fields = file.read().rpartition(b")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            if fields[0] not in (b"Z", b"X"):
                table.append((int(name), int(fields[1])))
    return table


def send(pid: int, number: signal.Signals) -> None:
    """Sends a signal to a process that may have ended."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # it has ended, or its id now belongs to another user's process


def write_all(descriptor: int, data: bytes) -> bool:
    """Writes all the data; False where the reader is gone."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except BrokenPipeError:
        return False
    return True


def main(arguments: list[str]) -> int:
    """Supervises a command; the exit code is the command's."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # The command must receive these signals even if this process started with them ignored (a background job):
    # an ignored signal stays ignored across exec.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    grace_seconds, treatment, *command = arguments
    supervisor = Supervisor(command, float(grace_seconds), treatment == "spare")

    def stop(_number: int, _frame: FrameType | None) -> None:
        supervisor.stop(supervisor.orphan_grace_seconds)

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
