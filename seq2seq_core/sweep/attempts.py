"""The count of failed attempts at a trial, so that a trial whose process always dies does not stop the sweep every time.

A killed process cannot record its death. Therefore a file in the trial's folder marks the start of an attempt; it is removed when
the attempt ends in any other way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_core import atomic

ATTEMPT_FILE = "attempt.json"
MAX_FAILURES = 2
"""Number of crashes of a trial, or of deaths of its process at the same step, after which the trial has failed."""


@contextmanager
def open_attempt(folder: Path, step: int) -> Iterator[int]:
    """Marks an attempt during the ``with`` block; gives the number of earlier attempts whose process died.

    Only consecutive attempts without a new checkpoint count: now and then a process may be killed for other reasons.

    Args:
        folder: the trial's folder; writes and removes ``attempt.json`` there.
        step: the step of the checkpoint with which the attempt begins.
    """
    file = folder / ATTEMPT_FILE
    deaths = _count_deaths(file, step)
    atomic.write_text(file, json.dumps({"step": step, "deaths": deaths}) + "\n")
    try:
        yield deaths
    finally:
        file.unlink(missing_ok=True)


def _count_deaths(file: Path, step: int) -> int:
    """The number of consecutive attempts, the one that left the file included, that began at a step and died."""
    try:
        last = json.loads(file.read_text(encoding="utf-8"))
        return int(last["deaths"]) + 1 if last["step"] == step else 0
    except (FileNotFoundError, ValueError):  # no file, or a file that a power failure left empty
        return 0
