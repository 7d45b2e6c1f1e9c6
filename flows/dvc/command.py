"""DVC as a command: the only way in which the flows call it."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flows.processes.supervised import CommandResult, StopPolicy, run_supervised
from seq2seq_core.errors import Interrupted, UserError, WorkspaceBusy

ERROR_MARK = "ERROR: "
BUSY_MARKS = ("is busy, it is being blocked by", "Unable to acquire lock")
ADVICE = (
    "To track the changes with git, run:",
    "git add ",
    "To enable auto staging, run:",
    "dvc config core.autostage true",
    "Use `dvc push` to send your updates to remote storage.",
)
"""Beginnings of the hints for interactive users that DVC prints at the end of a command."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dvc:
    """DVC in one workspace.

    Attributes:
        root: the workspace.
        variables: environment variables for DVC and the stages, on top of this process's own.
        held_descriptors: open files that stay open until every process of a command is gone (the workspace's lock).
    """

    root: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    held_descriptors: tuple[int, ...] = ()

    def run(self, arguments: Sequence[str], on_line: Callable[[str], None], policy: StopPolicy | None = None) -> CommandResult:
        """Runs ``dvc ARGUMENTS`` to its end; DVC waits for its lock without a time limit.

        Args:
            arguments: the subcommand and its arguments.
            on_line: receives each line of output as it comes, DVC's advice left out.
            policy: when the command is stopped; by default never.
        """

        def pass_on(line: str) -> None:
            if not is_advice(line):
                on_line(line)

        return run_supervised(
            self.command(arguments), self.root, self.environment(), pass_on, policy or StopPolicy(), self.held_descriptors
        )

    def ask(self, arguments: Sequence[str], policy: StopPolicy | None = None) -> str:
        """The standard output of ``dvc ARGUMENTS``.

        Args:
            arguments: the subcommand and its arguments.
            policy: when the command is stopped; by default never.

        Raises:
            WorkspaceBusy: another DVC process holds a lock that this command needs.
            UserError: DVC failed, for example on a fault in ``dvc.yaml``; the message is DVC's.
            Interrupted: the command was stopped before its end.
        """
        with tempfile.TemporaryDirectory(prefix="s2s-dvc-") as folder:
            answer = Path(folder) / "answer"
            command = ["/bin/sh", "-c", 'exec "$@" >"$0"', str(answer), *self.command(arguments)]
            result = run_supervised(
                command, self.root, self.environment(), logger.debug, policy or StopPolicy(), self.held_descriptors
            )
            if result.exit_code == 0:
                return answer.read_text(encoding="utf-8")
        raise refusal(arguments, result)

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command line of the DVC in the running interpreter's environment.

        ``-P`` keeps folders of the workspace from shadowing DVC's modules.
        """
        return [sys.executable, "-P", "-m", "dvc", "--wait-for-lock", *arguments]

    def environment(self) -> dict[str, str]:
        """This process's variables, with ``s2s`` on the path, no telemetry and unbuffered output."""
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
        fixed = {"PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **fixed, **self.variables}


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


def is_busy(text: str) -> bool:
    """Whether an error message says that another DVC process holds a lock."""
    return any(mark in text for mark in BUSY_MARKS)


def is_advice(line: str) -> bool:
    """Whether a line of DVC's output is a hint for interactive users, which does not belong in a log."""
    return line.strip().startswith(ADVICE)
