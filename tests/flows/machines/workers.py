"""Prefect workers as machines of their own: each has its own folder for clones, and is killed with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass
class Worker:
    """A worker of a pool.

    Args:
        folder: its own disk: clones, and what it logs.
        pool: the work pool.
        variables: environment variables on top of this process's own, such as the address of the Prefect server.
        command: its command, without a name.
    """

    folder: Path
    pool: str
    variables: Mapping[str, str]
    command: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        default = (sys.executable, "-P", "-m", "prefect", "worker", "start", "--pool", self.pool, "--limit", "1")
        command = [*(self.command or default), "--name", self.folder.name]
        own = {"S2S_STAGE_FOLDER": str(self.folder), "PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_HOME": str(self.folder / "home")}
        environment = {**os.environ, **self.variables, **own}
        with (self.folder / "worker.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def clone(self) -> Path:
        """The clone that it works in."""
        (found,) = (path for path in self.folder.iterdir() if (path / ".git").is_dir() and not path.name.startswith("."))
        return found

    def has(self, file: str) -> bool:
        """Whether its clone has a file."""
        return any(self.folder.glob(f"[!.]*/{file}"))

    def kill(self) -> None:
        """The power of the machine goes: the worker and everything below it die at once."""
        if self.process is None:
            return
        family = [psutil.Process(self.process.pid)] if psutil.pid_exists(self.process.pid) else []
        family += [child for parent in list(family) for child in parent.children(recursive=True)]
        for one in family:  # stopped first: none sees another one die
            one.send_signal(signal.SIGSTOP)
        for one in family:
            one.kill()
        self.process.wait()
        self.process = None

    @property
    def log(self) -> str:
        return (self.folder / "worker.log").read_text(encoding="utf-8", errors="replace")
