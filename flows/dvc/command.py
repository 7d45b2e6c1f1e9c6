"""DVC as a command: the one way in which the flows speak to it."""

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
"""What DVC says at the end of a command to someone at a keyboard."""

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
        """The end of ``dvc ARGUMENTS``, which waits for DVC's lock as long as it has to.

        Args:
            arguments: the subcommand and its arguments.
            on_line: receives each line of output as it comes, DVC's advice left out.
            policy: when it is stopped; by default never.
        """

        def pass_on(line: str) -> None:
            if not is_advice(line):
                on_line(line)

        return run_supervised(
            self.command(arguments), self.root, self.environment(), pass_on, policy or StopPolicy(), self.held_descriptors
        )

    def ask(self, arguments: Sequence[str], policy: StopPolicy | None = None) -> str:
        """What ``dvc ARGUMENTS`` writes to standard output.

        Args:
            arguments: the subcommand and its arguments.
            policy: when it is stopped; by default never.

        Raises:
            WorkspaceBusy: another DVC process holds what the question is about.
            UserError: DVC refuses, with its own words (such as a fault in ``dvc.yaml``).
            Interrupted: it was cancelled.
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
        """The DVC of the running interpreter's environment; ``-P`` keeps the workspace's own folders from hiding its modules."""
        return [sys.executable, "-P", "-m", "dvc", "--wait-for-lock", *arguments]

    def environment(self) -> dict[str, str]:
        """This process's variables, with ``s2s`` on the path, no telemetry and unbuffered output."""
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
        fixed = {"PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **fixed, **self.variables}


def refusal(arguments: Sequence[str], result: CommandResult) -> UserError | Interrupted:
    """The error that tells, in DVC's own words, why a command failed."""
    if result.ended_by != "itself":
        return Interrupted(f"dvc {arguments[0]}: stopped by {result.ended_by}")
    text = error_text(result.lines)
    if is_busy(text):
        return WorkspaceBusy(f"another DVC process works here: {text}")
    return UserError(f"dvc {' '.join(arguments)}: {text}")


def error_text(lines: Sequence[str]) -> str:
    """DVC's error message within its output: from the last ``ERROR:`` on, or all there is where nothing is marked so."""
    starts = [number for number, line in enumerate(lines) if line.startswith(ERROR_MARK)]
    kept = lines[starts[-1] :] if starts else lines
    text = "\n".join(line for line in kept if not is_advice(line)).removeprefix(ERROR_MARK).strip()
    return text or "it failed without a message"


def is_busy(text: str) -> bool:
    """Whether an error message says that another DVC process was in the way."""
    return any(mark in text for mark in BUSY_MARKS)


def is_advice(line: str) -> bool:
    """Whether a line of DVC's output is advice for someone at a keyboard, out of place in a log."""
    return line.strip().startswith(ADVICE)
