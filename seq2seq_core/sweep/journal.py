"""Optuna's journal in a file that a kill at any moment leaves usable."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock


class SystemLock(JournalFileOpenLock):
    """A lock of the operating system, which lets go of it however a process ends; Optuna's own locks outlive a killed holder.

    Args:
        journal: the file that is written while the lock is held.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self.journal = journal
        self._descriptor = -1

    def acquire(self) -> bool:
        """Waits for the lock, then removes what is left of a line that was never written to its end.

        The next line would otherwise be glued to it, and neither could be read.
        """
        self._descriptor = os.open(self.journal.with_name(f"{self.journal.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        _drop_torn_line(self.journal)
        return True

    def release(self) -> None:
        """Lets go of the lock."""
        os.close(self._descriptor)


def open_journal(path: Path) -> JournalStorage:
    """The storage of studies in a journal file, made where it is missing.

    Args:
        path: the file; its folder exists.
    """
    path.touch()
    with exclusive(path.with_name(f"{path.name}.lock")):
        _drop_torn_line(path)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=SystemLock(path)))


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Waits until no other process is in a block on the same file.

    Args:
        lock: the file; made where it is missing.
    """
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _drop_torn_line(path: Path) -> None:
    """Cuts a file off behind its last end of line; the lock is held."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
