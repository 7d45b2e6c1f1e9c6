"""Git as a command: the only way in which the flows call it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2seq_core.errors import EnvironmentFault, UserError

NOT_INSTALLED = "git is not installed; expected it, because every model names the commit that it came from"


class GitRefused(UserError):
    """A git command failed; carries git's own words."""


def git(root: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
    """The output of a git command.

    Args:
        root: the folder to run in.
        arguments: the subcommand and its arguments.
        variables: environment variables on top of this process's own.

    Raises:
        GitRefused: the command failed.
        EnvironmentFault: git is not installed.
    """
    result = run_git(root, arguments, variables)
    if result.returncode != 0:
        raise GitRefused(f"git {' '.join(arguments)}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout.strip()


def run_git(
    root: Path, arguments: Sequence[str], variables: Mapping[str, str] | None = None, seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a git command to its end, whatever that is.

    Args:
        root: the folder to run in.
        arguments: the subcommand and its arguments.
        variables: environment variables on top of this process's own.
        seconds: how long it may take; None: for ever.

    Raises:
        EnvironmentFault: git is not installed.
        subprocess.TimeoutExpired: it took longer.
    """
    environment = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(variables or {})}
    command = ["git", "-c", "core.quotePath=false", *arguments]  # names of files as they are, not in octal digits
    try:
        return subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, encoding="utf-8", errors="surrogateescape",
            timeout=seconds, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        if shutil.which("git") is not None:
            raise
        raise EnvironmentFault(NOT_INSTALLED) from None
