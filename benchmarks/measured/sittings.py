"""The total time of work that may be interrupted and resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_core import atomic


@contextmanager
def sitting(path: Path, key: str) -> Iterator[None]:
    """Adds the time of the ``with`` block to that of earlier sittings, even if the block is interrupted.

    Args:
        path: the file with the sum.
        key: the work's key; earlier sittings with another key do not count.
    """
    before, started = seconds_of_sittings(path, key), time.monotonic()
    try:
        yield
    finally:
        seconds = before + time.monotonic() - started
        atomic.write_text(path, json.dumps({"key": key, "seconds": seconds}))


def seconds_of_sittings(path: Path, key: str) -> float:
    """The total time of all sittings with this key; 0 where there are none."""
    if not path.exists():
        return 0.0
    found = json.loads(path.read_text(encoding="utf-8"))
    return float(found["seconds"]) if found["key"] == key else 0.0
