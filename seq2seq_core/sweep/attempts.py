"""What became of the attempts at a trial, so that one whose process always dies does not stop the sweep each time.

A process that is killed notes nothing, so what is noted is the beginning of an attempt: a file in the trial's folder, which is
removed when the attempt ends in any other way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_core import atomic

ATTEMPT_FILE = "attempt.json"
MAX_FAILURES = 2
"""Crashes of a trial, or deaths of its process at one place, after which it has failed."""


@contextmanager
def open_attempt(folder: Path, step: int) -> Iterator[int]:
    """Notes that an attempt is being made for the length of a ``with`` block; gives how many before it ended with their process.

    Only those in a row that got no checkpoint further count: a process may be killed now and then by someone else.

    Args:
        folder: of the trial.
        step: of the checkpoint that the attempt begins with.
    """
    file = folder / ATTEMPT_FILE
    deaths = _count_deaths(file, step)
    atomic.write_text(file, json.dumps({"step": step, "deaths": deaths}) + "\n")
    try:
        yield deaths
    finally:
        file.unlink(missing_ok=True)


def _count_deaths(file: Path, step: int) -> int:
    """How many attempts in a row, with what the file left, died after they had begun at a step."""
    try:
        last = json.loads(file.read_text(encoding="utf-8"))
        return int(last["deaths"]) + 1 if last["step"] == step else 0
    except (FileNotFoundError, ValueError):  # none, or one that a power failure left empty
        return 0
