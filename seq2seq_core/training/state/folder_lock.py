"""Lock of a training state's folder: one trainer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_core.errors import WorkspaceBusy
from seq2seq_core.file_lock import hold_lock

LOCK_FILE = "lock"


@contextmanager
def lock_folder(folder: Path, work: str = "training with these settings and data") -> Iterator[None]:
    """Locks a folder during a ``with`` block; the system releases the lock however the process ends.

    Args:
        folder: created if it is missing.
        work: what it is for, in words.

    Raises:
        WorkspaceBusy: another process holds it.
    """

    def busy(holder: str) -> WorkspaceBusy:
        return WorkspaceBusy(
            f"{folder}: another {work} is running here (process {holder or 'unknown'}); wait for it, or stop it and run this again"
        )

    with hold_lock(folder / LOCK_FILE, busy):
        yield
