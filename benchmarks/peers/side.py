"""A side of a comparison: a process that takes a turn for each line it is sent, and answers with a line of JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Side:
    """A side, which waits for its first turn.

    Args:
        name: for messages.
        command: the command of its process.
        log: the file for what it prints besides; None: it is shown.
        environment: its variables; None: those of this process.
        folder: where it runs; None: here.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name, self.log = name, log
        errors = None if log is None else log.open("w", encoding="utf-8")
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=environment, cwd=folder)

    def take_turn(self, line: str) -> dict[str, Any]:
        """The answer of one turn; ends this program where the side has ended.

        Args:
            line: what the turn is.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            sys.exit(f"{self.name} ended{'' if self.log is None else f': see {self.log}'}")
        return answer

    def end(self) -> None:
        """Says that there are no more turns, and waits for the end of the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
