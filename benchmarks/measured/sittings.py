"""How long a piece of work takes that may be interrupted and gone on with."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_core import atomic


@contextmanager
def sitting(path: Path, key: str) -> Iterator[None]:
    """Adds the time of its body to that of earlier sittings, also where the body is interrupted.

    Args:
        path: where the sum is kept.
        key: of the work; sittings of another one do not count.
    """
    before, started = seconds_of_sittings(path, key), time.monotonic()
    try:
        yield
    finally:
        seconds = before + time.monotonic() - started
        atomic.write_text(path, json.dumps({"key": key, "seconds": seconds}))


def seconds_of_sittings(path: Path, key: str) -> float:
    """The time of all sittings until now, 0 where there were none of this key."""
    if not path.exists():
        return 0.0
    found = json.loads(path.read_text(encoding="utf-8"))
    return float(found["seconds"]) if found["key"] == key else 0.0
