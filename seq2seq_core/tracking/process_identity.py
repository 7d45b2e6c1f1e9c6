"""The identity of a process: host, process id and start time, because ids are used again."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import Self

import psutil

DVC_STARTER = "dvc_start.py"
"""The script by which the flows start DVC."""


@dataclass(frozen=True)
class ProcessIdentity:
    """A process on a host.

    Attributes:
        host: the host name.
        pid: the process id on that host.
        started: the start time, in whole milliseconds since 1970.
    """

    host: str
    pid: int
    started: int

    @classmethod
    def of(cls, process: psutil.Process) -> Self:
        """The identity of a process on this host."""
        return cls(socket.gethostname(), process.pid, round(process.create_time() * 1000))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parses the output of :meth:`__str__`; None where the text is not an identity."""
        host, _, numbers = text.rpartition("/")
        pid, _, started = numbers.partition("@")
        return cls(host, int(pid), int(started)) if pid.isdecimal() and started.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}@{self.started}"

    def is_alive(self) -> bool:
        """Whether the process still runs; a process on another host cannot be checked and counts as alive."""
        if self.host != socket.gethostname():
            return True
        try:
            process = psutil.Process(self.pid)
            # The system clock may be corrected slightly while the process runs, which shifts start times.
            return abs(round(process.create_time() * 1000) - self.started) < 2000 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def this_process() -> ProcessIdentity:
    """The identity of the running process."""
    return ProcessIdentity.of(psutil.Process(os.getpid()))


def dvc_ancestor() -> ProcessIdentity | None:
    """The nearest ancestor of this process that is the command ``dvc``, or None."""
    for process in psutil.Process(os.getpid()).parents():
        try:
            if _is_dvc(process.cmdline()):
                return ProcessIdentity.of(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return None


def _is_dvc(command: list[str]) -> bool:
    """Whether a command line runs DVC: ``dvc``, ``python .../bin/dvc``, ``python [OPTIONS] -m dvc``, ``python -P dvc_start.py``."""
    head = [PurePath(word).name for word in command[:3]]
    return "dvc" in head[:2] or DVC_STARTER in head or ("-m", "dvc") in pairwise(command[:5])
