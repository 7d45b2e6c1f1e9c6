"""DVC as a command: the only way in which the flows call it."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flows.dvc.remote_secrets import remember_remote_secrets
from flows.dvc.run_cache import drop_empty_runs
from flows.processes.supervised import CommandResult, StopPolicy, run_supervised
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import Interrupted, UserError, WorkspaceBusy
from seq2seq_core.tracking.process_identity import DVC_STARTER

ERROR_MARK = "ERROR: "
STAGE_MARK = "Running stage '"
"""What DVC says before a stage's command; the lines after it are the stage's own."""
BUSY_PAUSE_SECONDS = 2.0
"""Pause between two attempts while another DVC process works on the same files."""
BUSY_MARKS = ("is busy, it is being blocked by", "Unable to acquire lock")
ADVICE = (
    "To track the changes with git, run:",
    "git add ",
    "To enable auto staging, run:",
    "dvc config core.autostage true",
    "Use `dvc push` to send your updates to remote storage.",
    "Having any troubles? Hit us up at https://dvc.org/support",
    "If there are no processes with such PIDs, you can manually remove",
)
"""Beginnings of the hints for interactive users that DVC prints at the end of a command.

The last one is wrong advice here: locks of dead processes have been removed (:mod:`flows.dvc.locks`)."""
HOLDER = re.compile(r"\(PID (\d+)\): (.*)")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dvc:
    """DVC in one workspace.

    Attributes:
        root: the workspace.
        variables: environment variables for DVC and the stages, on top of this process's own.
        held_descriptors: open files that stay open until every process of a command is gone (the workspace's lock).
        busy_wait_seconds: longest wait for another DVC process that works on the same files.
        on_wait: receives a line about what is waited for.
    """

    root: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    held_descriptors: tuple[int, ...] = ()
    busy_wait_seconds: float = 0.0
    on_wait: Callable[[str], None] = logger.info

    def __post_init__(self) -> None:
        remember_remote_secrets(self.root)

    def run(self, arguments: Sequence[str], on_line: Callable[[str], None], policy: StopPolicy | None = None) -> CommandResult:
        """Runs ``dvc ARGUMENTS`` to its end; waits while another DVC process works on the same files.

        Args:
            arguments: the subcommand and its arguments.
            on_line: receives each line of output as it comes, DVC's advice left out.
            policy: when the command is stopped; by default never.
        """
        return self._run_when_free(self.command(arguments), on_line, policy or StopPolicy())

    def ask(self, arguments: Sequence[str], policy: StopPolicy | None = None) -> str:
        """The standard output of ``dvc ARGUMENTS``; waits while another DVC process works on the same files.

        Args:
            arguments: the subcommand and its arguments.
            policy: when the command is stopped; by default never.

        Raises:
            WorkspaceBusy: another DVC process still holds a lock that this command needs.
            UserError: DVC failed, for example on a fault in ``dvc.yaml``; the message is DVC's.
            Interrupted: the command was stopped before its end.
        """
        with tempfile.TemporaryDirectory(prefix="s2s-dvc-") as folder:
            answer = Path(folder) / "answer"
            command = ["/bin/sh", "-c", 'exec "$@" >"$0"', str(answer), *self.command(arguments)]
            result = self._run_when_free(command, logger.debug, policy or StopPolicy())
            if result.exit_code == 0:
                return answer.read_text(encoding="utf-8")
        raise refusal(arguments, result)

    def _run_when_free(self, command: Sequence[str], on_line: Callable[[str], None], policy: StopPolicy) -> CommandResult:
        """Runs a DVC command; repeats it, up to ``busy_wait_seconds``, while it only fails because another process is at work."""
        deadline = time.monotonic() + self.busy_wait_seconds
        waited_for = ""
        while True:
            lines = BusyLines(on_line)
            drop_empty_runs(self.root)
            result = run_supervised(command, self.root, self.environment(), lines, policy, self.held_descriptors)
            is_free = result.exit_code == 0 or result.ended_by != "itself" or not lines.held
            if is_free or policy.cancellation.is_requested or time.monotonic() > deadline:
                lines.release()
                return result
            if (holders := describe_holders(lines.held)) != waited_for:
                waited_for = holders
                self.on_wait(f"waiting up to {format_seconds(self.busy_wait_seconds)} for {holders} to end")
            policy.cancellation.wait(BUSY_PAUSE_SECONDS)

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command line of the DVC in the running interpreter's environment.

        ``-P`` keeps folders of the workspace from shadowing DVC's modules.
        """
        return [sys.executable, "-P", str(Path(__file__).with_name(DVC_STARTER)), "--wait-for-lock", *arguments]

    def environment(self) -> dict[str, str]:
        """This process's variables, with ``s2s`` on the path, no telemetry and unbuffered output."""
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
        fixed = {"PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **fixed, **self.variables}


class BusyLines:
    """The lines of one attempt, passed on as they come; DVC's report of a lock, which it gives before a stage, is held back.

    Args:
        on_line: receives the lines, DVC's advice left out.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.on_line = on_line
        self.held: list[str] = []
        self._has_started = False

    def __call__(self, line: str) -> None:
        """Takes the next line of output."""
        self._has_started = self._has_started or line.startswith(STAGE_MARK)
        if self.held or (not self._has_started and line.startswith(ERROR_MARK) and is_busy(line)):
            self.held.append(line)
        elif not is_advice(line):
            self.on_line(line)

    def release(self) -> None:
        """Passes on the lines that were held back, because no further attempt follows."""
        for line in self.held:
            if not is_advice(line):
                self.on_line(line)


def describe_holders(lines: Sequence[str]) -> str:
    """The processes that DVC's report on a lock names; without a name, another DVC process.

    Args:
        lines: the report.
    """
    holders = [f"process {pid} ({_shorten(command)})" for line in lines for pid, command in HOLDER.findall(line)]
    return ", ".join(holders) or "another DVC process"


def _shorten(command: str) -> str:
    """A command line with the program's name in place of its path."""
    path, _, arguments = command.partition(" ")
    program = Path(path).parent.name if Path(path).name == "__main__.py" else Path(path).name
    return f"{program} {arguments}".strip()


def refusal(arguments: Sequence[str], result: CommandResult) -> UserError | Interrupted:
    """The error for a failed command, with DVC's own message."""
    if result.ended_by != "itself":
        return Interrupted(f"dvc {arguments[0]}: stopped by {result.ended_by}")
    text = error_text(result.lines)
    if is_busy(text):
        return WorkspaceBusy(f"another DVC process works here: {text}")
    return UserError(f"dvc {' '.join(arguments)}: {text}")


def error_text(lines: Sequence[str]) -> str:
    """DVC's error message: its output from the last ``ERROR:`` on, or the whole output where there is no ``ERROR:``."""
    starts = [number for number, line in enumerate(lines) if line.startswith(ERROR_MARK)]
    kept = lines[starts[-1] :] if starts else lines
    text = "\n".join(line for line in kept if not is_advice(line)).removeprefix(ERROR_MARK).strip()
    return text or "it failed without a message"


def has_started(stage: str, lines: Sequence[str]) -> bool:
    """Whether DVC's output says that it executed a stage's command.

    Args:
        stage: its name.
        lines: DVC's output.
    """
    return _stage_mark(stage) in lines


def _stage_mark(stage: str) -> str:
    return f"{STAGE_MARK}{stage}':"


def own_words(stage: str, lines: Sequence[str]) -> str:
    """What a stage itself said in DVC's output, without its command; empty where it said nothing.

    Args:
        stage: its name.
        lines: DVC's output.
    """
    if not has_started(stage, lines):
        return ""
    said = lines[lines.index(_stage_mark(stage)) + 1 :]
    ends = [place for place, line in enumerate(said) if line.startswith(ERROR_MARK)]
    return "\n".join(line for line in said[: ends[-1] if ends else None] if not line.startswith("> ")).strip()


def is_busy(text: str) -> bool:
    """Whether an error message says that another DVC process holds a lock."""
    return any(mark in text for mark in BUSY_MARKS)


def is_advice(line: str) -> bool:
    """Whether a line of DVC's output is a hint for interactive users, which does not belong in a log."""
    return line.strip().startswith(ADVICE)
